"""Files of the lake: a local folder or an object store behind one small set of operations.

Paths are relative to the lake's root, with `/`. What counts for the lake's promises:
`put` and `publish` replace a file as a whole, so a reader of that file sees the old or the new one, never a part.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import fsspec

TICK_NS = 2_000_000_000
"""Longest step of a disk's clock: that of shares which keep whole seconds."""


class Files(Protocol):
    """What the lake needs of a place to keep files. Raises OSError; FileNotFoundError where a file is missing."""

    root: str

    def create(self, path: str) -> Any:
        """Context manager: a new file open for writing; complete, and safe against a power cut, when it closes."""

    def put(self, path: str, data: bytes) -> None:
        """Write a small file, replacing it as a whole."""

    def put_new(self, path: str, data: bytes) -> bool:
        """Write a small file only if there is none; says whether it did."""

    def publish(self, source: str, target: str) -> None:
        """Make `source` available as `target`, replacing it as a whole; `source` may be gone afterwards."""

    def get(self, path: str) -> bytes:
        """All bytes of a file."""

    def open(self, path: str) -> Any:
        """A file open for reading; what is read through it is one version of the file, or an OSError."""

    def exists(self, path: str) -> bool: ...

    def names(self, folder: str) -> list[str]:
        """Names in a folder, sorted; none where there is no folder."""

    def versions(self, folder: str) -> dict[str, str]:
        """Name of each file in a folder with a mark that changes when the file is replaced; one look at the folder."""

    def state(self, folder: str) -> str:
        """A mark that changes when a file in a folder is made, replaced or removed, for less than `versions` costs."""

    def remove(self, path: str) -> None:
        """Remove a file, or a folder with all in it; nothing happens where there is none."""

    def sync(self, folders: Iterable[str]) -> None:
        """Make creations, renames and removals in these folders safe against a power cut."""

    def address(self, path: str) -> str:
        """Path or URL under which other tools find a file."""


class LocalFiles:
    """A folder of this machine (or one mounted on it)."""

    def __init__(self, root: str) -> None:
        self.root = str(Path(root).expanduser().absolute())

    def _path(self, path: str) -> str:
        return os.path.join(self.root, path)

    @contextmanager
    def create(self, path: str) -> Iterator[BinaryIO]:
        full = self._path(path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    def put(self, path: str, data: bytes) -> None:
        folder, name = os.path.split(path)
        temporary = os.path.join(folder, f".{name}.{os.getpid()}-{threading.get_ident()}")
        try:
            with self.create(temporary) as file:
                file.write(data)
            os.replace(self._path(temporary), self._path(path))
        except BaseException:
            self.remove(temporary)
            raise
        self.sync([folder])

    def put_new(self, path: str, data: bytes) -> bool:
        """Write a small file only if there is none; says whether it did."""
        temporary = f"{path}.{os.getpid()}-{threading.get_ident()}.new"
        try:
            with self.create(temporary) as file:
                file.write(data)
            os.link(self._path(temporary), self._path(path))
        except FileExistsError:
            return False
        finally:
            self.remove(temporary)
        self.sync([os.path.dirname(path)])
        return True

    def publish(self, source: str, target: str) -> None:
        os.makedirs(os.path.dirname(self._path(target)), exist_ok=True)
        os.replace(self._path(source), self._path(target))

    def get(self, path: str) -> bytes:
        with open(self._path(path), "rb") as file:
            return file.read()

    def open(self, path: str) -> BinaryIO:
        return open(self._path(path), "rb")

    def exists(self, path: str) -> bool:
        return os.path.exists(self._path(path))

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(os.listdir(self._path(folder)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def versions(self, folder: str) -> dict[str, str]:
        try:
            with os.scandir(self._path(folder)) as entries:
                states = {entry.name: entry.stat() for entry in entries if entry.is_file()}
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return {name: f"{state.st_mtime_ns}.{state.st_ino}.{state.st_size}" for name, state in states.items()}

    def state(self, folder: str) -> str:
        try:
            changed_ns = os.stat(self._path(folder)).st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            return "none"
        now_ns = time.time_ns()  # two changes may share a tick of the disk's clock, so a fresh one is no mark yet
        return f"{changed_ns}.{now_ns}" if now_ns - changed_ns < TICK_NS else str(changed_ns)

    def remove(self, path: str) -> None:
        full = self._path(path)
        if os.path.isdir(full) and not os.path.islink(full):
            shutil.rmtree(full)
        else:
            Path(full).unlink(missing_ok=True)

    def sync(self, folders: Iterable[str]) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._sync, dict.fromkeys(folders)))

    def _sync(self, folder: str) -> None:
        try:
            handle = os.open(self._path(folder), os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def address(self, path: str) -> str:
        return self._path(path)


class ObjectFiles:
    """An object store by fsspec URL (s3://bucket/lake, memory://lake, ...).

    A written object appears when its upload is complete, and replaces the one before as a whole. There are no folders
    to sync.
    """

    def __init__(self, url: str, options: dict[str, Any] | None = None) -> None:
        self.root = url.rstrip("/")
        self.filesystem, self._base = fsspec.core.url_to_fs(self.root, **(options or {}))

    def _path(self, path: str) -> str:
        return f"{self._base}/{path}"

    def create(self, path: str) -> Any:
        return self.filesystem.open(self._path(path), "wb")

    def put(self, path: str, data: bytes) -> None:
        self.filesystem.pipe_file(self._path(path), data)

    def put_new(self, path: str, data: bytes) -> bool:
        """Write a small object only if there is none; says whether it did. One request where the store can."""
        try:
            self.filesystem.pipe_file(self._path(path), data, mode="create")
        except FileExistsError:
            return False
        return True

    def publish(self, source: str, target: str) -> None:
        self.filesystem.copy(self._path(source), self._path(target))

    def get(self, path: str) -> bytes:
        return self.filesystem.cat_file(self._path(path))

    def open(self, path: str) -> Any:
        self.filesystem.invalidate_cache()
        return self.filesystem.open(self._path(path), "rb")

    def exists(self, path: str) -> bool:
        self.filesystem.invalidate_cache()
        return self.filesystem.exists(self._path(path))

    def names(self, folder: str) -> list[str]:
        self.filesystem.invalidate_cache()
        try:
            found = self.filesystem.ls(self._path(folder), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name.rstrip("/").rsplit("/", 1)[-1] for name in found)

    def versions(self, folder: str) -> dict[str, str]:
        self.filesystem.invalidate_cache()
        try:
            found = self.filesystem.ls(self._path(folder), detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        marks = ("ETag", "etag", "LastModified", "mtime", "created", "size")
        return {
            str(entry["name"]).rstrip("/").rsplit("/", 1)[-1]: "|".join(str(entry[m]) for m in marks if m in entry)
            for entry in found
        }

    def state(self, folder: str) -> str:
        return hashlib.sha256(repr(sorted(self.versions(folder).items())).encode()).hexdigest()

    def remove(self, path: str) -> None:
        self.filesystem.invalidate_cache()
        if self.filesystem.exists(self._path(path)):
            self.filesystem.rm(self._path(path), recursive=True)

    def sync(self, folders: Iterable[str]) -> None:
        pass

    def address(self, path: str) -> str:
        return f"{self.root}/{path}"


def open_files(root: str, options: dict[str, Any] | None = None) -> LocalFiles | ObjectFiles:
    """The files of a lake: a folder, file:// URL or any fsspec URL; `options` go to the filesystem (keys, endpoint)."""
    if root.startswith("file://"):
        return LocalFiles(root.removeprefix("file://"))
    if "://" in root:
        return ObjectFiles(root, options)
    return LocalFiles(root)
