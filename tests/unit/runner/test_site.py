# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The site: links that lead nowhere are found, those that leave the pages lead to the repository."""

from __future__ import annotations

import pytest
from runner.site import REPOSITORY, broken_links, page_links


@pytest.mark.parametrize(
    ("link", "broken"),
    [
        ("b.html", False),
        ("b.html#there", False),
        ("#here", False),
        ("https://example.com/x", False),
        ("mailto:a@example.com", False),
        ("sub/../b.html", False),
        ("b.html#gone", True),
        ("#gone", True),
        ("gone.html", True),
        ("guide.md", True),
    ],
)
def test_links(link: str, broken: bool) -> None:
    texts = {"a.html": f'<p id="here"><a href="{link}">x</a>', "b.html": '<h1 id="there">'}
    assert broken_links(texts, []) == ([f"a.html: {link}"] if broken else [])


def test_pictures_and_folders() -> None:
    texts = {"sub/a.html": '<img src="../_static/a.png"><img src="b.png">'}
    assert broken_links(texts, ["_static/a.png"]) == ["sub/a.html: b.png"]


def test_links_out_of_the_pages() -> None:
    assert page_links("[x](../COPYING) [y](guide.md)") == f"[x]({REPOSITORY}/COPYING) [y](guide.md)"
