# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the examples in a page of Markdown, and make plays of them (pure).

Blocks that begin with ```yaml, ```sh or ```console are examples: tasks, playbooks and commands. All of them run, in the order of
the page, on one host, unless a comment, which readers do not see, says otherwise right before the block:

    <!-- skip: REASON -->            its commands do not run, and are checked instead (check.py); the reason is counted and printed
    <!-- target: NAME -->            the integration target or Molecule scenario of that name runs it; NAME may be followed by a host
                                     or group, or by 'controller'
    <!-- host: NAME -->              it runs on that host or group, where the target has several
    <!-- controller -->              its commands run where Ansible does, in a folder with a file 'inventory'
    <!-- controller: TEXT -->        the same, and TEXT is what a person types in
    <!-- file: PATH -->              its text becomes a file of the host; for blocks of any kind
    <!-- controller-file: PATH -->   the same, in the folder where the controller's commands run

At the top of a page, <!-- page-target: NAME --> names the target of all its examples. The plays have the heading above their example
as a tag, so that a target can run the sections one by one.
"""

from __future__ import annotations

import base64
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

EXAMPLES = ("yaml", "sh", "console")
FOLDER = "/srv/examples"
"""Where commands run on the host, and where files of relative paths are."""

_ON_CONTROLLER = {"delegate_to": "localhost", "run_once": True}
_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+)(?P<language>[A-Za-z]*)[ ]*$")
_COMMENT = re.compile(r"^ *<!-- *(?P<kind>skip|target|host|controller-file|controller|file)(?:: *(?P<text>.*?))? *-->$")
_ANY_COMMENT = re.compile(r"^ *<!--.*-->$")
_PAGE_TARGET = re.compile(r"(?m)^<!-- *page-target: *(\S+) *-->$")
_HEADING = re.compile(r"^#+ (?P<title>.+)$")


class PageError(Exception):
    """A page has an example that cannot be understood."""


@dataclass(frozen=True)
class Example:
    """One block: where it is, what it is, and what the comment before it says (``kind`` is ``run`` without one).

    ``target`` is the one that runs it, empty for the target that runs all others; ``section`` is the heading above it, as a tag.
    """

    page: str
    line: int
    language: str
    text: str
    kind: str = "run"
    argument: str = ""
    target: str = ""
    section: str = ""

    @property
    def where(self) -> str:
        """The place of the block, as compilers write it."""
        return f"{self.page}:{self.line}"


def find_examples(page: str, text: str) -> list[Example]:
    """Return the examples of a page, and the other blocks that become files. Raises ``PageError`` for a comment without its block."""
    found: list[Example] = []
    lines = text.splitlines()
    comment: re.Match[str] | None = None
    of_page = _PAGE_TARGET.search(text)
    target, section, number = of_page[1] if of_page else "", "", 0
    sections: set[str] = set()
    while number < len(lines):
        fence = _FENCE.match(lines[number])
        if fence is None:
            said = _COMMENT.match(lines[number])
            if comment is not None and (said or lines[number].strip()):
                raise PageError(f"{page}:{number}: the comment stands before no block")
            if said is None and _ANY_COMMENT.match(lines[number]) and not _PAGE_TARGET.match(lines[number]):
                raise PageError(f"{page}:{number + 1}: no such comment is known")
            comment = said or comment
            heading = _HEADING.match(lines[number])
            if heading:
                section = _tag(heading["title"])
                if target and section in sections:
                    raise PageError(f"{page}:{number + 1}: a second section '{section}', so neither can run by itself")
                sections.add(section)
            number += 1
            continue
        end = next((at for at in range(number + 1, len(lines)) if lines[at].strip() == fence["fence"]), None)
        if end is None:
            raise PageError(f"{page}:{number + 1}: the block does not end")
        body = "".join(line[len(fence["indent"]) :] + "\n" for line in lines[number + 1 : end])
        kind, argument = (comment["kind"], comment["text"] or "") if comment else ("run", "")
        if fence["language"] in EXAMPLES or kind != "run":
            found.append(_checked(Example(page, number + 1, fence["language"], body, kind, argument, target, section)))
        comment, number = None, end + 1
    if comment is not None:
        raise PageError(f"{page}: the last comment stands before no block")
    return found


def _checked(example: Example) -> Example:
    if example.kind == "target":
        target, _space, place = example.argument.partition(" ")
        if not target:
            raise PageError(f"{example.where}: 'target' needs a text: a name, and perhaps where it runs")
        if place == "controller":
            example = replace(example, kind=place, argument="", target=target)
        else:
            example = replace(example, kind="host" if place else "run", argument=place, target=target)
    needs_text = example.kind in ("skip", "host", "file", "controller-file")
    if needs_text and not example.argument:
        raise PageError(f"{example.where}: '{example.kind}' needs a text, such as a reason or a path")
    if example.kind == "skip" and example.language not in ("sh", "console"):
        raise PageError(f"{example.where}: only commands can be skipped")
    if example.kind == "controller" and example.language not in ("sh", "console"):
        raise PageError(f"{example.where}: only commands can run on the controller")
    return example


def _tag(title: str) -> str:
    return "-".join(re.findall("[a-z0-9]+", title.lower()))


def plays_of(examples: Sequence[Example], target: str = "") -> list[dict[str, Any]]:
    """Return the plays that do what the examples of a page say, in order: all that have no target, or those of one target."""
    runs = (example for example in examples if example.kind != "skip" and example.target == target)
    return [play for example in runs for play in plays_of_one(example)]


def plays_of_one(example: Example) -> Iterator[dict[str, Any]]:
    """Yield the plays that do what an example says, whatever keeps it from running."""
    if example.kind == "file":
        path = posixpath.join(FOLDER, example.argument)
        yield _play(example, [_folder(posixpath.dirname(path)), _file(example, path)])
    elif example.kind == "controller-file":
        path = "{{ examples_folder }}/" + example.argument
        tasks = [_folder(posixpath.dirname(path)), _file(example, path)]
        yield _play(example, [{**task, **_ON_CONTROLLER} for task in tasks])
    elif example.language == "yaml":
        yield from _yaml_plays(example)
    else:
        yield _play(example, [_commands(example)])


def _play(example: Example, tasks: Sequence[Any]) -> dict[str, Any]:
    # The facts of a host take a second, and few examples ask for them.
    facts = "ansible_facts" in example.text
    return {
        "name": example.where,
        "hosts": _hosts(example),
        "gather_facts": facts,
        "tags": [example.section],
        "tasks": list(tasks),
    }


def _hosts(example: Example) -> str:
    return example.argument if example.kind == "host" else "all"


def _yaml_plays(example: Example) -> Iterator[dict[str, Any]]:
    try:
        data = yaml.safe_load(example.text)
    except yaml.YAMLError as exc:
        raise PageError(f"{example.where}: not YAML: {exc}") from exc
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise PageError(f"{example.where}: neither tasks nor a playbook: say 'file' or 'skip' before it")
    if not any("hosts" in item or _imports(item) for item in data):
        yield _play(example, data)
        return
    for item in data:
        # Groups are the reader's own: here they are the one host.
        hosts = {} if _imports(item) else {"hosts": _hosts(example)}
        own = item.get("tags", [])
        tags = [example.section, *([own] if isinstance(own, str) else own)]
        yield {**item, **hosts, "tags": tags, "name": f"{example.where} {item.get('name', '')}".strip()}


def _imports(item: dict[str, Any]) -> bool:
    return any(key.endswith("import_playbook") for key in item)


def _commands(example: Example) -> dict[str, Any]:
    controller = example.kind == "controller"
    script = "\n".join(["set -eu", *commands_of(example)])
    folder = "{{ examples_folder }}" if controller else FOLDER
    task: dict[str, Any] = {
        "name": example.where,
        "ansible.builtin.command": {
            "argv": ["/bin/bash", "-c", _literal(script)],
            "chdir": folder,
            **({"stdin": example.argument} if controller and example.argument else {}),
        },
    }
    return {**task, **_ON_CONTROLLER} if controller else task


def commands_of(example: Example) -> list[str]:
    """Return the lines of an example that are commands: all, or of a console's those after a prompt, and those that go on."""
    lines = example.text.splitlines()
    if example.language != "console":
        return lines
    found: list[str] = []
    for line in lines:
        if found and found[-1].endswith("\\"):
            found.append(line)
        elif line.startswith(("# ", "$ ")):
            found.append(line[2:])
    if not found:
        raise PageError(f"{example.where}: no line begins with '# ' or '$ '")
    return found


def _folder(path: str) -> dict[str, Any]:
    return {"ansible.builtin.file": {"path": path, "state": "directory", "mode": "0755"}}


def _file(example: Example, path: str) -> dict[str, Any]:
    mode = "0755" if example.text.startswith("#!") else "0644"
    content = _literal(example.text)
    return {"ansible.builtin.copy": {"content": content, "dest": path, "mode": mode}}


def _literal(text: str) -> str:
    """Return a template that gives the text, so that no template in it is filled."""
    return "{{ '" + base64.b64encode(text.encode()).decode() + "' | b64decode }}"


def summary(examples: Sequence[Example], target: str = "") -> list[str]:
    """Return how many run, in this target and in others, and which are checked alone, one line each."""
    checked = [example for example in examples if example.kind == "skip"]
    elsewhere = [example for example in examples if example.kind != "skip" and example.target != target]
    here = len(examples) - len(checked) - len(elsewhere)
    lines = [f"{here} examples run, {len(elsewhere)} in other targets, {len(checked)} are checked alone"]
    return lines + [f"checked alone {example.where}: {example.argument}" for example in checked]
