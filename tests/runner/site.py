# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the HTML site of pages and plugins, and look for links in it that lead nowhere."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urlsplit

from runner.project import NAME, NAMESPACE, OUTPUT, ROOT
from runner.results import Result, failure, total, verdict
from runner.stage import Context

SITE = OUTPUT / "site"
REPOSITORY = "https://github.com/projectatomic/system_containers/blob/main"
FIRST_PAGES = ("guide", "operations", "migration-from-atomic", "image-authors")
LAST_PAGES = ("limits", "design", "benchmarks")

WRAP = "h1, .wy-menu a, .wy-breadcrumbs { overflow-wrap: anywhere; }\n"
CONF = """\
project = "{namespace}.{name}"
html_title = "System containers"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
myst_heading_anchors = 4
suppress_warnings = ["ref.ref", "misc.highlighting_failure"]
html_theme = "sphinx_ansible_theme"
html_theme_options = {{
    "display_version": False,
    "documentation_home_url": "index.html",
    "topbar_links": {{}},
}}
pygments_style = "ansible"
html_show_sphinx = False
html_static_path = ["static"]
html_css_files = ["wrap.css"]
"""


def site(context: Context) -> Result:
    """Build the site with antsibull-docs and Sphinx, and check its links."""
    source, html = SITE / "source", SITE / "html"
    shutil.rmtree(SITE, ignore_errors=True)
    source.mkdir(parents=True)
    SITE.chmod(0o700)  # antsibull-docs does not write to folders that others can enter
    source.chmod(0o700)
    pages = _write_pages(source)
    collection = f"{NAMESPACE}.{NAME}"
    command = ["antsibull-docs", "collection", "--use-current"]
    code = context.run(*command, "--squash-hierarchy", "--dest-dir", source, collection)
    if code != 0:
        return failure(f"antsibull-docs ended with exit code {code}")
    source.joinpath("index.rst").rename(source / "plugins.rst")
    source.joinpath("index.md").write_text(_index(pages), encoding="utf-8")
    code = context.run(sys.executable, "-m", "sphinx", "-q", "-j", "auto", "-b", "html", source, html)
    if code != 0:
        return failure(f"sphinx-build ended with exit code {code}")
    context.say(f"open {html.relative_to(ROOT)}/index.html")
    return _check(html, pages)


def _write_pages(source: Path) -> list[str]:
    """Copy the pages in Markdown; return their names, in the order of the site's menu."""
    source.joinpath("conf.py").write_text(CONF.format(namespace=NAMESPACE, name=NAME), encoding="utf-8")
    source.joinpath("static").mkdir()
    source.joinpath("static", "wrap.css").write_text(WRAP, encoding="utf-8")
    found = {path.stem: path for path in ROOT.glob("docs/*.md")}
    for path in found.values():
        source.joinpath(path.name).write_text(page_links(path.read_text(encoding="utf-8")), encoding="utf-8")
    others = sorted(set(found) - {*FIRST_PAGES, *LAST_PAGES})
    return [name for name in (*FIRST_PAGES, *others, *LAST_PAGES) if name in found]


def page_links(text: str) -> str:
    """Return a page of docs/ with links to files outside of it that lead to the repository."""
    return re.sub(r"\]\(\.\./([^)]+)\)", rf"]({REPOSITORY}/\1)", text)


def _index(pages: Iterable[str]) -> str:
    """Return the first page: the README, and what the site has."""
    text = ROOT.joinpath("README.md").read_text(encoding="utf-8")
    text = re.sub(r"\]\(docs/([^)]+)\)", r"](\1)", text)
    text = re.sub(r"\]\((?![a-z]+:|#)(?!\w[\w-]*\.md)([^)]+)\)", rf"]({REPOSITORY}/\1)", text)
    text = text.replace("](CONTRIBUTING.md)", f"]({REPOSITORY}/CONTRIBUTING.md)")
    entries = "\n".join([*pages, "Modules, plugins and roles <plugins>"])
    return f"{text}\n```{{toctree}}\n:hidden:\n:maxdepth: 2\n\n{entries}\n```\n"


def _check(html: Path, pages: Iterable[str]) -> Result:
    texts = {
        path.relative_to(html).as_posix(): path.read_text(encoding="utf-8", errors="replace")
        for path in html.rglob("*.html")
    }
    modules = [f"{path.stem}_module" for path in ROOT.glob("plugins/modules/*.py")]
    wanted = [f"{name}.html" for name in ("index", "plugins", *pages, *modules)]
    missing = sorted(name for name in wanted if name not in texts)
    broken = broken_links(texts, {path.relative_to(html).as_posix() for path in html.rglob("*")})
    return total(
        [
            verdict(ok=not missing, problem=f"pages are missing: {', '.join(missing)}"),
            verdict(ok=not broken, problem="\n".join(["links that lead nowhere:", *broken[:20]])),
        ]
    )


class _Links(HTMLParser):
    """Collects where a page leads, and the places in it."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note links and ids."""
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif value and ((tag == "a" and name == "href") or (tag == "img" and name == "src")):
                self.targets.append(value)


def broken_links(texts: Mapping[str, str], files: Iterable[str]) -> list[str]:
    """Return the links between pages (HTML by path) that lead to no file, or to no place in a page."""
    known, parsed = set(files) | set(texts), {}
    for path, text in texts.items():
        parsed[path] = _Links()
        parsed[path].feed(text)
    broken = set()
    for path, page in parsed.items():
        for target in page.targets:
            url = urlsplit(target)
            if url.scheme or url.netloc:
                continue
            place = normpath(join(dirname(path), unquote(url.path))) if url.path else path
            anchor = unquote(url.fragment)
            if place not in known or (anchor and place in parsed and anchor not in parsed[place].anchors):
                broken.add(f"{path}: {target}")
    return sorted(broken)
