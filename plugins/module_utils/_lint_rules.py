# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an image should not do although it can be installed, and what its unit and its manifest must say (pure).

What would make an installation fail is found by rendering, see ``_lint``; what is said of config.json is in ``_lint_config``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from ._exports import HOSTFS, ImageFiles, is_template
from ._lint_findings import Finding
from ._oci_image import ImageConfig
from ._strict_json import load_json
from ._systemd_unit import has_setting, settings
from ._template import FORCED, HOST_DEFAULTS, variables

MANIFEST = "/exports/manifest.json"
CONFIG = "/exports/config.json"
CONFIG_TEMPLATE = "/exports/config.json.template"
SERVICE = "/exports/service.template"
TMPFILES = "/exports/tmpfiles.template"
TEXTS = (MANIFEST, CONFIG, CONFIG_TEMPLATE, SERVICE, TMPFILES)
"""The text files of /exports."""

_MANIFEST_KEYS = (
    "defaultValues",
    "installedFilesTemplate",
    "noContainerService",
    "renameFiles",
    "useLinks",
    "version",
)
_BOOLEANS = ("noContainerService", "useLinks")
_SECRET = re.compile(r"(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)\Z", re.IGNORECASE)
_UNIT_FOLDERS = {
    "CacheDirectory": "/var/cache",
    "ConfigurationDirectory": "/etc",
    "LogsDirectory": "/var/log",
    "RuntimeDirectory": "/run",
    "StateDirectory": "/var/lib",
}
_LABELS = {"name": "org.opencontainers.image.title", "version": "org.opencontainers.image.version"}


def check_manifest(text: str) -> Iterator[Finding]:
    """Yield what is wrong with the keys of a manifest.json that can be parsed."""
    data = load_json(text, file="manifest.json")
    for key, value in data.items():
        if key not in _MANIFEST_KEYS:
            yield Finding("manifest-key", f"Nothing reads the key '{key}'{_similar(key, _MANIFEST_KEYS)}", MANIFEST)
        elif key in _BOOLEANS and not isinstance(value, bool):
            yield Finding("manifest", f"{key} is not true or false, so it would be ignored", MANIFEST)


def check_listing(paths: Iterable[str]) -> Iterator[Finding]:
    """Yield the files of ``/exports`` that nothing reads."""
    for path in sorted(paths):
        if path not in TEXTS and path != HOSTFS and not path.startswith(HOSTFS + "/"):
            names = [text.rpartition("/")[2] for text in TEXTS]
            yield Finding("ignored-file", f"Nothing reads it{_similar(path.rpartition('/')[2], names)}", path)


def check_files(files: ImageFiles) -> Iterator[Finding]:
    """Yield which files are in the way of each other."""
    if files.config is not None and files.config_template is not None:
        yield Finding("ignored-file", "Nothing reads it, as there is a config.json", CONFIG_TEMPLATE)
    used = sorted(variables(files.config or ""))
    if used:
        yield Finding("placeholder", f"It is no template, so '${used[0]}' stays as it is", CONFIG)
    if files.manifest.no_container_service:
        if files.service_template is not None:
            yield Finding("ignored-file", "Nothing reads it, as manifest.json has noContainerService", SERVICE)
    elif files.service_template is None:
        yield Finding(
            "service-template", "There is none, so the service gets a default unit, which knows nothing of it"
        )


def check_defaults(files: ImageFiles) -> Iterator[Finding]:
    """Yield the default values that are of no use, or that should not be there."""
    used = {name for text in template_texts(files).values() for name in variables(text)}
    for name, value in files.manifest.default_values.items():
        if name in FORCED:
            yield Finding("unused-default", f"The default of '{name}' is not used, as it is always computed", MANIFEST)
        elif name in ("UUID", "RUNTIME", "ALL_PROCESS_CAPABILITIES", "ATOMIC"):
            yield Finding("host-default", f"'{name}' would be the same on all hosts", MANIFEST)
        elif name not in used and name not in HOST_DEFAULTS:
            yield Finding(
                "unused-default", f"No template uses '{name}', which has a default{_similar(name, used)}", MANIFEST
            )
        elif _SECRET.search(name) and value not in ("", False):
            yield Finding(
                "secret-default", f"'{name}' has a default, which everybody who has the image knows", MANIFEST
            )


def template_texts(files: ImageFiles) -> dict[str, str]:
    """Return the templates that count, by their path in the image; renameFiles under the manifest's."""
    manifest = files.manifest
    texts = {
        CONFIG_TEMPLATE: files.config_template if files.config is None else None,
        SERVICE: None if manifest.no_container_service else files.service_template,
        TMPFILES: files.tmpfiles_template,
        MANIFEST: "\n".join(manifest.rename_files.values()),
    }
    for file in files.host_files:
        if is_template(file.path, renames=manifest.rename_files, templates=manifest.templates):
            texts[HOSTFS + file.path] = file.text
    return {path: text for path, text in texts.items() if text is not None}


def missing_variables(texts: Mapping[str, str], values: Collection[str]) -> Iterator[Finding]:
    """Yield the variables for which nothing has a value, ``values`` being those that have one, each once."""
    seen: set[str] = set()
    for path, text in texts.items():
        for name in sorted(variables(text) - set(values) - seen):
            seen.add(name)
            yield Finding("variables", f"'{name}' has no value{_similar(name, values)}", path)


def check_image(config: ImageConfig, *, dropped: int) -> Iterator[Finding]:
    """Yield what is wrong with an image's configuration and layers."""
    for name, other in _LABELS.items():
        if not config.labels.get(name) and not config.labels.get(other):
            yield Finding("labels", f"It has no label '{name}' or '{other}'")
    if dropped:
        yield Finding("dropped-entries", f"Its layers have {dropped} devices or fifos, which are left out")


def check_unit(unit: str, *, is_default: bool) -> Iterator[Finding]:
    """Yield what a unit should say and does not; ``is_default`` when it is not the image's own."""
    if not has_setting(unit, section="Service", key="ExecStart"):
        yield Finding("unit", "It has no ExecStart=$EXEC_START in a section [Service], so nothing starts", SERVICE)
    if is_default:
        return
    if not has_setting(unit, section="Service", key="Type"):
        yield Finding("unit-type", "It has no Type=, so nothing tells when the service is ready", SERVICE)
    if not any(has_setting(unit, section="Install", key=key) for key in ("WantedBy", "RequiredBy", "UpheldBy")):
        yield Finding("unit-install", "It has no WantedBy= in a section [Install], so it cannot start at boot", SERVICE)


def made_paths(unit: str, tmpfiles: str) -> set[str]:
    """Return the paths that a unit and a tmpfiles.d text create on the host."""
    made = {fields[1].replace("%%", "%") for fields in map(str.split, tmpfiles.splitlines()) if len(fields) > 1}
    for key, value in settings(unit, "Service"):
        if key in _UNIT_FOLDERS:
            made |= {f"{_UNIT_FOLDERS[key]}/{name.partition(':')[0]}" for name in value.split()}
    return made


def systemd_findings(output: str, *, unit: str, runtime: str) -> Iterator[Finding]:
    """Yield what ``systemd-analyze verify`` says of the file ``unit``; of other units it is none of the image's business.

    That the runtime is missing where the image is checked is none either.
    """
    name = unit.rpartition("/")[2]
    refused = f"Unit {name} has a bad unit file setting." in output
    for line in output.splitlines():
        path, _colon, said = line.partition(": ")
        place, _colon, number = path.partition(":")
        if place not in (unit, name) or said.startswith(f"Command {runtime} is not executable"):
            continue
        where = f"line {number}: " if number else ""
        rule = "unit" if refused and said.endswith("Refusing.") else "unit-systemd"
        yield Finding(rule, f"systemd says: {where}{said}", SERVICE)


def tmpfiles_findings(output: str, *, file: str) -> Iterator[Finding]:
    """Yield what ``systemd-tmpfiles`` says of the lines of ``file``."""
    for line in output.splitlines():
        if line.startswith(f"{file}:"):
            number, _colon, said = line[len(file) + 1 :].partition(": ")
            yield Finding("tmpfiles", f"systemd-tmpfiles says: line {number}: {said}", TMPFILES)


def _similar(name: str, names: Iterable[str]) -> str:
    """Return a question after the name that was meant, nothing when none is near."""
    close = difflib.get_close_matches(name, sorted(names), n=1, cutoff=0.8)
    return f" (is '{close[0]}' meant?)" if close else ""
