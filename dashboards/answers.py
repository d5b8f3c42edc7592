"""Answers that are kept while there is room for them: their bytes are bounded, the longest unused go first."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import pandas as pd
import pyarrow as pa

MOST_BYTES = 512 * 2**20
"""Of one dashboard, for all its readers: a year of a store's visits takes about 70 MB, most answers a few kB."""


class Answers:
    """A cache by bytes for many threads; a question that several ask at once is answered once.

    Args:
        most_bytes: what all answers together may take. A single one that is larger is given, and not kept.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes, self.bytes = most_bytes, 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Any], size: int | None = None) -> Any:
        """The answer kept under a key, or else what `make` gives. Nobody may change it.

        `size`: its bytes, where they are known; else they are counted, which takes long of many small ones.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._kept:  # by somebody who asked at the same time
                    return self._kept[key][0]
            try:
                answer = make()
                self._keep(key, answer, size_of(answer) if size is None else size)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return answer

    def _keep(self, key: Hashable, answer: Any, size: int) -> None:
        if size > self.most_bytes:
            return
        with self._lock:
            _, before = self._kept.pop(key, (None, 0))  # where it was made twice, having gone in between
            self._kept[key] = (answer, size)
            self.bytes += size - before
            while self.bytes > self.most_bytes:
                _, (_, freed) = self._kept.popitem(last=False)
                self.bytes -= freed

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self.bytes = 0


KEPT = Answers()
"""The dashboard's own."""


def size_of(value: Any) -> int:
    """Bytes that an answer takes in memory, with what its cells hold."""
    if isinstance(value, pd.DataFrame):
        nested = [column for column in value if value[column].dtype == object]
        return int(value.memory_usage().sum()) + sum(size_of(cell) for name in nested for cell in value[name])
    if isinstance(value, pa.Table):
        return int(value.nbytes)
    if isinstance(value, dict):
        return sys.getsizeof(value) + sum(size_of(part) for part in value.values())  # the keys are names, shared
    if isinstance(value, list | tuple):
        return sys.getsizeof(value) + sum(size_of(part) for part in value)
    return sys.getsizeof(value)
