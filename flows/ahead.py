"""Iterating ahead: a thread fills a bounded queue while the caller works on what came before."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


def ahead(items: Iterable[Item], size: int) -> Iterator[Item]:
    """The items, made in a thread of its own at most `size` ahead. What the thread raises is raised here."""
    filler = _Filler(items, size)
    filler.start()
    try:
        yield from filler.drain()
    finally:
        filler.stop.set()
        filler.join()


class _Filler(threading.Thread):
    def __init__(self, items: Iterable[Item], size: int) -> None:
        super().__init__(name="ahead", daemon=True)
        self.items = items
        self.ready: queue.Queue[object] = queue.Queue(maxsize=size)
        self.stop = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            for item in self.items:
                self._put(item)
                if self.stop.is_set():
                    return
        except BaseException as error:
            self.error = error
        self._put(_END)

    def drain(self) -> Iterator:
        while (item := self.ready.get()) is not _END:
            yield item
        if self.error is not None:
            raise self.error

    def _put(self, item: object) -> None:
        while not self.stop.is_set():
            try:
                return self.ready.put(item, timeout=0.2)
            except queue.Full:
                continue


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of `size`, the last one shorter."""
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
