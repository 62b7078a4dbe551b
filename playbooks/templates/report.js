"use strict";
// Copyright (c) 2026, projectatomic.system_containers contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Finds rows of the table of containers. Without this script the page has no form, and all rows.
const form = document.getElementById("filter");
if (form) {
  const text = document.getElementById("filter-text");
  const problems = document.getElementById("filter-problems");
  const groups = [...document.querySelectorAll("#containers-table > tbody")].map((body) => {
    const [head, ...rows] = body.rows;
    const host = head.textContent;
    return { body, rows: rows.map((row) => ({ row, words: searchable(host, row), odd: row.classList.contains("has-problem") })) };
  });

  // What is printed, and the whole digests.
  function searchable(host, row) {
    const titles = [...row.querySelectorAll("[title]")].map((element) => element.title);
    return [host, row.textContent.replace(/\s+/g, " "), row.querySelector(".image")?.textContent, ...titles].join(" ").toLowerCase();
  }

  function update() {
    const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { body, rows } of groups) {
      let any = false;
      for (const { row, words, odd } of rows) {
        row.hidden = !(wanted.every((word) => words.includes(word)) && (odd || !problems.checked));
        any ||= !row.hidden;
        shown += row.hidden ? 0 : 1;
      }
      body.hidden = !any;
    }
    const filtered = wanted.length > 0 || problems.checked;
    document.getElementById("filter-count").textContent = filtered ? `${shown} shown` : "";
  }

  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  update();
}
