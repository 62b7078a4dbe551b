# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody who opens the report page sees, by asking the browser.

python3 tests/report/look.py PAGE     prints it as JSON, for a screen as wide as a phone's and for a large one
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from report.browser import Browser, browser

WIDTHS = {"phone": 390, "desk": 1280}

SEE = r"""
const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true });
const text = (element) => element.innerText.replace(/\s+/g, " ").trim();
const all = (selector, top = document) => [...top.querySelectorAll(selector)].filter(seen);
const color = (element) => getComputedStyle(element).backgroundColor;
const row = (tr) => Object.fromEntries([...tr.cells].map((cell) => [cell.dataset.label ?? "", text(cell)]));
return {
  title: text(document.querySelector("h1")),
  figures: Object.fromEntries(all(".figures > div").map((item) => [item.id.slice(7), Number(text(item.querySelector("dd")))])),
  attention: all(".attention li, .attention.calm").map(text),
  order: all("main section").map((section) => section.id),
  sections: Object.fromEntries(all("main section").map((section) => [section.id, all("tbody > tr", section).map(row)])),
  highlighted: all("code.id").filter((code) => color(code) !== "rgba(0, 0, 0, 0)").map(text),
  marks: all("#containers .status").map((item) => [text(item), color(item.querySelector(".mark"))]),
  elements: document.querySelectorAll("script, img, iframe, object, embed, form, link").length,
  evil: window.evil ?? null,
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
};
"""

FAULTS = r"""
// Contrast as https://www.w3.org/TR/WCAG22/#contrast-minimum has it, and what assistive technologies hold on to.
const faults = [];
const parts = (color) => color.match(/[\d.]+/g).map(Number);
const light = (color) => {
  const [r, g, b] = parts(color).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const found = getComputedStyle(at).backgroundColor;
    if ((parts(found)[3] ?? 1) === 1) return found;
  }
  return "rgb(255, 255, 255)";
};
for (const element of document.querySelectorAll("body *")) {
  const words = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  if (!words.length || !element.checkVisibility() || element.closest(".unseen, thead, script")) continue;
  const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(2)}: ${words[0].data.trim().slice(0, 40)}`);
}
for (const table of document.querySelectorAll("table")) {
  if (!table.caption?.textContent.trim()) faults.push("a table has no caption");
  if (table.querySelector("th:not([scope])")) faults.push("a heading of a table has no scope");
}
const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
if (new Set(ids).size !== ids.length) faults.push("an id is used twice");
for (const link of document.querySelectorAll("a")) {
  if (!document.getElementById(link.getAttribute("href").slice(1))) faults.push(`a link leads nowhere: ${link.href}`);
}
let level = 0;
for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
  if (Number(heading.tagName[1]) > level + 1) faults.push(`${heading.tagName} below H${level}`);
  level = Number(heading.tagName[1]);
}
for (const named of document.querySelectorAll("[aria-labelledby]")) {
  if (!document.getElementById(named.getAttribute("aria-labelledby"))) faults.push("a label is missing");
}
if (document.documentElement.lang !== "en") faults.push("no language");
return faults;
"""


def look(chromium: Browser, page: Path, *, width: int, dark: bool = False) -> dict[str, Any]:
    """Open a page and return what is visible on it, what it asked for, and what the console says."""
    chromium.console()
    chromium.requests()
    chromium.open(page, width=width, dark=dark)
    address = page.resolve().as_uri()
    asked = [url for url in chromium.requests() if url != address and not url.startswith(("data:", "about:"))]
    return {**chromium.run(SEE), "faults": chromium.run(FAULTS), "asked": asked, "console": chromium.console()}


def main(page: str) -> None:
    """Print what is seen."""
    with browser() as found:
        print(json.dumps({name: look(found, Path(page), width=width) for name, width in WIDTHS.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
