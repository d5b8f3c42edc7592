"""One writer a store-day.

In a folder the kernel keeps the lock (flock): it ends with the process that holds it, even one that is killed, and
never while that process still works, however slow it is. In an object store it is a lease: an object with a time that
its holder renews; who finds it not renewed for `LEASE_S` takes it over, and the former holder notices before it
commits.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
import uuid
import weakref
from datetime import UTC, datetime

from flows.errors import JobStopped
from flows.lake_files import LocalFiles, ObjectFiles

LEASE_S = 60.0
RENEW_S = 15.0


class DayLocked(JobStopped):
    """Another writer has this store-day; the message says who."""


def lock_day(files: LocalFiles | ObjectFiles, path: str, what: str) -> FolderLock | LeaseLock:
    """Take the lock at `path`; `what` names the day in messages. Raises DayLocked at once where somebody has it."""
    if isinstance(files, LocalFiles):
        return FolderLock(files.address(path), what)
    return LeaseLock(files, path, what)


def _holder() -> dict[str, str | int]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}


def _refusal(what: str, holder: dict[str, str | int]) -> DayLocked:
    who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')} since {holder.get('since', '?')}"
    return DayLocked(f"{what} is being written by {who}; wait until it has finished, or end it, and run again")


_held: weakref.WeakSet[FolderLock] = weakref.WeakSet()


class FolderLock:
    """A lock on a file. The file stays, with the last holder's name, so that nobody locks one that was removed."""

    def __init__(self, path: str, what: str) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self._handle: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = _read_holder(os.pread(self._handle, 4096, 0))
            os.close(self._handle)
            raise _refusal(what, holder) from None
        _held.add(self)
        try:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, json.dumps(_holder()).encode(), 0)
        except OSError:
            pass  # a full disk keeps the name out, not the lock

    def check(self) -> None:
        """Nothing to check: the kernel takes a lock from nobody."""

    def release(self) -> None:
        if self._handle is not None:
            handle, self._handle = self._handle, None
            os.close(handle)


def _read_holder(data: bytes) -> dict[str, str | int]:
    try:
        return json.loads(data)
    except ValueError:
        return {}


def _forget_in_child() -> None:
    """A forked child must not keep its parent's locks alive after the parent's death."""
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_forget_in_child)


class LeaseLock:
    """A lock as an object that a thread renews."""

    def __init__(self, files: ObjectFiles, path: str, what: str) -> None:
        self._files, self._path, self._what, self._token = files, path, what, uuid.uuid4().hex
        if not files.put_new(path, self._lease()):
            self._take_over()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease {what}", daemon=True)
        self._thread.start()

    def _lease(self) -> bytes:
        return json.dumps(_holder() | {"token": self._token, "renewed": time.time()}).encode()

    def _current(self) -> dict:
        try:
            return _read_holder(self._files.get(self._path))
        except FileNotFoundError:
            return {}

    def _take_over(self) -> None:
        found = self._current()
        if time.time() - float(found.get("renewed", 0)) < LEASE_S:
            raise _refusal(self._what, found)
        self._files.remove(self._path)
        if not self._files.put_new(self._path, self._lease()):
            raise _refusal(self._what, self._current())

    def _renew(self) -> None:
        while not self._stop.wait(RENEW_S):
            try:
                if self._current().get("token") != self._token:
                    return  # taken over; `check` tells the writer
                self._files.put(self._path, self._lease())
            except OSError:
                continue  # tried again soon; the lease is four times as long

    def check(self) -> None:
        """Raises DayLocked where the lease ran out and somebody else took it."""
        found = self._current()
        if found.get("token") != self._token:
            raise _refusal(self._what, found)

    def release(self) -> None:
        self._stop.set()
        self._thread.join()
        if self._current().get("token") == self._token:
            self._files.remove(self._path)
