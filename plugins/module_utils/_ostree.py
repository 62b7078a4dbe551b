# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The OSTree repository: whatever writes to it runs ``ostree``, whatever only reads is in ``_ostree_reader``."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ._deferred_sync import drop_unsynced, make_mark
from ._errors import CommandError, StoreError
from ._folder_attributes import FolderMerger
from ._gvariant import children_of, directory_mode, directory_xattrs
from ._image_name import IMPORT_KEY
from ._io import locked, set_folder_attributes, temporary_folder, write_file
from ._ostree_reader import COMMIT, OWN_FOLDER, RepositoryReader, checked_commit, checked_ref
from ._record import dataclass
from ._runner import Completed, find_tool, run
from ._tar_commit import ATTEMPTS, ENVIRONMENT, TIMEOUT, TarCommit, no_space, stumbled

MAX_METADATA_STRING = 100 * 1024
"""Bytes that one metadata value may have: Linux limits one argv string to 128 KiB."""

LOCK_TIMEOUT = 600.0
"""Seconds to wait for the repository: its holder may be pulling, which takes longer than changing a container."""

_LOCK_NAME = "system-containers.lock"


NEW_REPOSITORY = ".ostree-"
"""Begin of the name under which a repository is made."""


@dataclass(frozen=True)
class Repository(RepositoryReader):
    """An OSTree repository at ``path``."""

    def create(self) -> None:
        """Create the repository, with its parent directories, unless there is one.

        Only root may enter it: its objects have the set-user-ID bits and the secrets of all images (CVE-2021-41103).
        It is made under a temporary name, so that a crash leaves no half repository in its place. An empty directory
        that is there, such as a mount point, is used as it is.
        """
        self.check()
        if self.exists():
            return
        if os.path.isdir(self.path):
            self._initialize()
            return
        find_tool("ostree")
        parent = os.path.dirname(self.path)
        os.makedirs(os.path.dirname(parent), mode=0o755, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(parent, 0o700 if os.path.basename(parent) == OWN_FOLDER else 0o755)
        with temporary_folder(parent, NEW_REPOSITORY) as temporary:
            Repository(temporary)._initialize()
            try:
                os.rename(temporary, self.path)
            except OSError:
                if not self.exists():  # else another run was faster
                    raise

    def _initialize(self) -> None:
        self._ostree("init", "--mode=bare")
        make_mark(self.path)

    def set_ref(self, ref: str, commit: str) -> None:
        """Let ``ref`` name ``commit``, whether or not it exists.

        The file is what libostree writes; killed in between, that leaves its temporary one behind, as another ref.
        """
        path = os.path.join(self.path, "refs/heads", checked_ref(ref))
        name = hashlib.sha256(ref.encode("ascii")).hexdigest()  # several may be written at once
        temporary = os.path.join(self.path, "tmp", f"system-containers-ref-{name}")
        write_file(path, checked_commit(commit).encode("ascii") + b"\n", mode=0o644, temporary=temporary)

    def delete_ref(self, ref: str) -> None:
        """Delete ``ref``, and only it (``ostree refs --delete`` takes a prefix); nothing happens when it is absent."""
        self._drop_unreadable(ref)
        if self.has_ref(ref):
            self._ostree("refs", "--delete", ref)
            if self.has_ref(ref):
                raise StoreError(f"The ref '{ref}' of '{self.path}' cannot be deleted")

    def _drop_unreadable(self, ref: str) -> None:
        """Unlink a ref without a checksum in it, such as an empty file after a crash: ostree fails at it."""
        try:
            self.resolve(ref)
        except StoreError:
            os.unlink(os.path.join(self.path, "refs/heads", checked_ref(ref)))

    def commit_files(
        self, files: Mapping[str, bytes], *, metadata: Mapping[str, str], ref: str | None = None, sync: bool = True
    ) -> str:
        """Commit ``files`` (name to content, owned by root, 0644) and return the commit.

        The same content gives the same commit. With ``ref``, that names the commit afterwards. Without ``sync`` a loss of
        power may lose it, so a commit with it has to follow before any ref names it. ostree keeps an object
        that is there, even one that was changed on disk: so all is read back, and what was changed is written anew.
        """
        argv = self._commit_argv("tar=-", metadata=metadata, sync=sync)
        commit = self._committed(argv, stdin=_tar(files))
        for _attempt in range(3):  # a commit, then its directory, then the file
            if not self._discard_changed(commit, files):
                break
            commit = self._committed(argv, stdin=_tar(files))
        if ref is not None:
            self.set_ref(ref, commit)
        return commit

    def commit_tree_of(self, commit: str, *, metadata: Mapping[str, str], ref: str | None = None) -> str:
        """Commit the tree of ``commit`` again with other ``metadata`` and return the new commit.

        It is synced only with a ``ref``.
        """
        argv = self._commit_argv(f"ref={checked_commit(commit)}", metadata=metadata, sync=ref is not None)
        made = self._committed(argv, stdin=None)
        if ref is not None:
            self.set_ref(ref, made)
        return made

    def forget_commit(self, commit: str) -> None:
        """Remove a commit that no ref names; what it alone had stays until it is pruned."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.object_path(commit, "commit"))

    def commit_tar(self, *, over: str | None = None, sync: bool = True) -> TarCommit:
        """Start an orphan commit of a tar: owners, modes and xattrs are kept, missing parents made (root, 0755).

        The tar is put over the tree of the commit ``over``. ``sync`` is as in ``commit_files``.
        """
        argv = self._commit_argv("tar=-", metadata={IMPORT_KEY: "1"}, sync=sync)
        if over is not None:
            argv.insert(-1, f"--tree=ref={checked_commit(over)}")
        return TarCommit(argv, self.path)

    def prune(self, commits: Iterable[str]) -> None:
        """Delete ``commits``, which no ref names, then every object that no other commit reaches.

        All commits that are left count, with a ref or without (``--refs-only`` would delete those of others). ostree
        waits for whoever commits right now, and keeps what that brings.
        """
        for commit in commits:
            for path in (self.object_path(checked_commit(commit), "commit"), self.partial_mark(commit)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
        self._ostree("prune")

    def discard(self, commit: str, objects: Iterable[tuple[str, str]]) -> None:
        """Remove damaged ``objects`` (checksum and kind) of ``commit``, which is marked first as lacking them.

        ostree keeps an object that is there, whatever its content. The mark goes when the commit is made again.
        """
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.join(self.path, "state"), 0o755)
        write_file(self.partial_mark(commit), b"f", mode=0o644)
        for checksum, kind in objects:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.object_path(checksum, kind))

    def checkout(self, commits: Sequence[str], destination: str) -> None:
        """Check out ``commits``, lowest first, one over the other, as hard links; whiteouts take effect.

        ``destination`` has to be empty or missing. A directory of one layer replaces a file or a symbolic link of
        another below it: ``ostree checkout --union`` fails at the file and **follows the link**, on the host, so these
        are removed in between. A directory of several layers gets the attributes that ``_folder_attributes`` finds.
        ``StoreError`` where it is not clear that replacing is meant.
        """
        if not commits:
            raise StoreError(f"Nothing was given to check out into '{destination}': an image has at least one layer")
        user = ["--user-mode"] if self.mode == "bare-user" else []
        start = 0
        for index, paths in [*sorted(self.replaced(commits).items()), (len(commits), [])]:
            stdin = b"".join(checked_commit(commit).encode("ascii") + b"\0/\0" for commit in commits[start:index])
            options = ["--require-hardlinks", "--union", "--whiteouts", *user, "--from-stdin"]
            self._ostree("checkout", *options, destination, stdin=stdin)
            for path in paths:
                os.unlink(os.path.join(destination, path))
            start = index
        for folder in FolderMerger(self, commits).to_change():
            dirmeta = self.read_object(folder.meta, "dirmeta")
            set_folder_attributes(destination + folder.path, *directory_mode(dirmeta), directory_xattrs(dirmeta))

    def lock(self, timeout: float = LOCK_TIMEOUT) -> contextlib.AbstractContextManager[None]:
        """Return the repository's one writer lock; ``LockedError`` after ``timeout`` seconds. Not re-entrant."""
        if not self.exists():
            raise StoreError(f"There is no OSTree repository at '{self.path}'")
        return self._locked(timeout)

    @contextlib.contextmanager
    def _locked(self, timeout: float) -> Iterator[None]:
        what = f"the OSTree repository '{self.path}'"
        with locked(os.path.join(self.path, _LOCK_NAME), what=what, timeout=timeout):
            drop_unsynced(self)
            yield

    def _ostree(self, command: str, *arguments: str, stdin: bytes | None = None) -> Completed:
        argv = ["ostree", command, f"--repo={self.path}", *arguments]
        attempts = ATTEMPTS
        while True:
            try:
                return run(argv, timeout=TIMEOUT, stdin=stdin, env=ENVIRONMENT)
            except CommandError as exc:
                attempts -= 1
                if not attempts or not stumbled(exc.stderr):
                    raise no_space(self.path, exc.stderr) or StoreError(
                        f"The OSTree repository '{self.path}': {exc}"
                    ) from exc

    def _commit_argv(self, tree: str, *, metadata: Mapping[str, str], sync: bool = True) -> list[str]:
        """Timestamp, subject, parent and bindings are fixed: equal content gives an equal commit, as Atomic had it."""
        fixed = [
            "--orphan",
            "--subject=",
            "--timestamp=@0",
            "--parent=none",
            "--no-bindings",
            "--tar-autocreate-parents",
        ]
        fixed += [] if sync else ["--fsync=no"]
        strings = [f"--add-metadata-string={key}={value}" for key, value in metadata.items()]
        return ["ostree", "commit", f"--repo={self.path}", *fixed, *strings, f"--tree={tree}"]

    def _committed(self, argv: Sequence[str], *, stdin: bytes | None) -> str:
        commit = self._ostree(argv[1], *argv[3:], stdin=stdin).text.strip()
        if not COMMIT.match(commit):
            raise StoreError(f"The OSTree repository '{self.path}': ostree returned no commit but '{commit[:80]}'")
        if not self.is_intact(commit):
            os.unlink(self.object_path(commit, "commit"))
            self._ostree(argv[1], *argv[3:], stdin=stdin)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.partial_mark(commit))
        return commit

    def _discard_changed(self, commit: str, files: Mapping[str, bytes]) -> bool:
        """Unlink what was changed of a commit of ``files`` (all in the root directory); tell whether there was any."""
        root = self.root(commit)
        changed = [
            self.object_path(checksum, kind)
            for checksum, kind in ((root.checksum, "dirtree"), (root.meta or "", "dirmeta"))
            if not self.is_intact(checksum, kind)
        ]
        if not changed:
            children = children_of(self.read_object(root.checksum, "dirtree"))
            found = {name: node.checksum for name, node in children}
            for name, content in files.items():
                if self._read(found[name], "file") != content:
                    changed.append(self.object_path(found[name], "file"))
        for path in changed:
            os.unlink(path)
        return bool(changed)


def writer(reader: RepositoryReader) -> Repository:
    """Return the repository for who writes to it; reading it needs less of this collection."""
    return reader if isinstance(reader, Repository) else Repository(reader.path)


def _tar(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of regular files of root's, 0644."""
    import io
    import tarfile

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name.lstrip("/"))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()
