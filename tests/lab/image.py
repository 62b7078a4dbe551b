# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The subcommands ``lab image build``, ``lab image push`` and ``lab image debian``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from . import registry
from .image_builder import MEDIA_TYPES, build_image
from .process import LabError, require, run
from .state import Lab, Record


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand ``image`` to the command line."""
    parser = commands.add_parser("image", help="build an image, push one to the lab's registry")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser("build", help="build an OCI image from folders; prints the manifest's digest")
    build.add_argument("folder", metavar="FOLDER", help="the lowest layer")
    build.add_argument("target", metavar="OCI_DIR[:TAG]")
    build.add_argument("--layer", action="append", default=[], metavar="FOLDER", help="one more layer on top")
    build.add_argument("--base", default="", metavar="TAG", help="an image of OCI_DIR to put the layers on")
    build.add_argument("--label", action="append", default=[], metavar="KEY=VALUE")
    build.add_argument("--env", action="append", default=[], metavar="KEY=VALUE")
    build.add_argument("--entrypoint", metavar="JSON", help="a JSON list of strings")
    build.add_argument("--cmd", metavar="JSON", help="a JSON list of strings")
    build.add_argument("--compression", choices=sorted(MEDIA_TYPES), default="gzip")
    build.add_argument(
        "--keep-owners", action="store_true", help="files belong to whom they belong on disk, not to root"
    )
    push = actions.add_parser("push", help="copy an OCI image to the lab's registry; prints its reference")
    push.add_argument("source", metavar="OCI_DIR[:TAG]")
    push.add_argument("name", metavar="NAME:TAG")
    push.add_argument("--tls", action="store_true", help="to the registry with TLS and a password")
    debian = actions.add_parser(
        "debian", help="make layers of Debian's packages; prints the folder with base/ and packages/"
    )
    debian.add_argument("package", metavar="PACKAGE", nargs="+")


def build_command(arguments: argparse.Namespace) -> str:
    """Run ``lab image build``; return the manifest's digest.

    Raises:
        LabError: an argument is wrong, or the image cannot be built.
    """
    if arguments.compression == "zstd":
        require("zstd")
    layout, tag = split_target(arguments.target)
    try:
        image = build_image(
            layout,
            layers=[arguments.folder, *arguments.layer],
            tag=tag,
            base=arguments.base,
            labels=key_values(arguments.label, option="--label"),
            env=key_values(arguments.env, option="--env"),
            entrypoint=json_list(arguments.entrypoint, option="--entrypoint"),
            cmd=json_list(arguments.cmd, option="--cmd"),
            compression=arguments.compression,
            root_owned=not arguments.keep_owners,
        )
    except KeyError as error:
        raise LabError(f"image build: {layout} has no image named {error}") from error
    except OSError as error:
        raise LabError(f"image build: {error}") from error
    return image.manifest_digest


def push_command(lab: Lab, record: Record, arguments: argparse.Namespace) -> str:
    """Run ``lab image push``; return the image's reference in the registry.

    Raises:
        LabError: no registry runs, or skopeo fails.
    """
    require("skopeo")
    if registry.process_id(lab, "tls" if arguments.tls else "plain") is None:
        raise LabError("the lab's registry does not run; run: lab registry")
    layout, tag = split_target(arguments.source)
    plain, tls = registry.addresses(record)
    if arguments.tls:
        reference = f"{tls}/{arguments.name}"
        options = [f"--dest-cert-dir={registry.certificates(lab)}", f"--dest-authfile={registry.authfile(lab)}"]
    else:
        reference = f"{plain}/{arguments.name}"
        options = ["--dest-tls-verify=false", "--dest-no-creds"]
    run(
        ["skopeo", "copy", "--quiet", "--preserve-digests", *options, f"oci:{layout}:{tag}", f"docker://{reference}"],
        timeout=600,
    )
    return reference


def split_target(target: str) -> tuple[Path, str]:
    """Split OCI_DIR[:TAG] at the last colon; the tag is ``latest`` when there is none."""
    folder, colon, tag = target.rpartition(":")
    if not colon or "/" in tag:
        return Path(target), "latest"
    return Path(folder), tag


def key_values(words: Sequence[str], *, option: str) -> dict[str, str]:
    """Split words KEY=VALUE.

    Raises:
        LabError: a word has no key or no equals sign.
    """
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise LabError(f"{option} {word!r}: not KEY=VALUE")
        found[key] = value
    return found


def json_list(text: str | None, *, option: str) -> list[str] | None:
    """Parse a JSON list of strings; None stays None.

    Raises:
        LabError: the text is something else.
    """
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise LabError(f"{option} {text!r}: not a JSON list of strings")
    return value
