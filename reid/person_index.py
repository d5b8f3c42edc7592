"""Cosine search over many embeddings: every one is compared, in 8 bits, from a memory-mapped file (faiss).

Exhaustive on purpose: an approximate index saves milliseconds and now and then misses the one person who is looked for.
Embeddings are stored as signed bytes of a common scale, and the query is rounded to bytes as well (faiss compares bytes
with bytes, and would cut a query's fractions off); together that moves a cosine by about 0.002.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np

LARGEST_BYTE = 127.0
THREADS = 2


class PersonIndex:
    """Embeddings (N, D) of length 1, opened by `open_index`. Rows are numbered as they were given to `build_index`."""

    def __init__(self, index: faiss.Index, scale: float) -> None:
        self.index, self.scale = index, scale

    def __len__(self) -> int:
        return int(self.index.ntotal)

    @property
    def dimension(self) -> int:
        return int(self.index.d)

    def search(self, query: np.ndarray, count: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The rows most like a query (D,), the best first, and their cosines; at most `count`.

        allowed: bool (N,), rows that may be found; None for all.
        """
        selected = len(self) if allowed is None else int(np.count_nonzero(allowed))
        count = min(count, selected)
        if count == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        parameters = faiss.SearchParameters()
        if allowed is not None and selected < len(self):
            bits = np.packbits(allowed, bitorder="little")
            parameters.sel = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(bits))
        unit = np.asarray(query, np.float32) / max(float(np.linalg.norm(query)), 1e-12)
        scale = _scale_of(unit)
        products, rows = self.index.search(np.rint(unit * scale)[None], count, params=parameters)
        return rows[0], products[0] / (self.scale * scale)


def index_of(embeddings: np.ndarray) -> PersonIndex:
    """An index in memory of embeddings (N, D), float, length 1."""
    embeddings = np.ascontiguousarray(embeddings, np.float32)
    scale = _scale_of(embeddings)
    index = faiss.IndexScalarQuantizer(
        embeddings.shape[1], faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT
    )
    index.add(np.rint(embeddings * scale))
    return PersonIndex(index, scale)


def _scale_of(values: np.ndarray) -> float:
    """What the values are multiplied by to fill a signed byte."""
    largest = float(np.abs(values).max()) if values.size else 1.0
    return LARGEST_BYTE / max(largest, 1e-6)


def build_index(embeddings: np.ndarray, path: Path) -> None:
    """Write the index of embeddings (N, D) to a file; it appears whole or not at all."""
    made = index_of(embeddings)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        faiss.write_index(made.index, str(aside))
        with open(aside, "ab") as file:
            file.write(np.float64(made.scale).tobytes())  # after what faiss reads
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    finally:
        aside.unlink(missing_ok=True)


def open_index(path: Path) -> PersonIndex:
    """Map an index file into memory. Raises FileNotFoundError, or ValueError where the file is damaged."""
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: there is no index") from None
        raise ValueError(f"{path} is no index, or a damaged one: remove it, and it is made again ({error})") from None
    with open(path, "rb") as file:
        file.seek(-8, os.SEEK_END)
        scale = float(np.frombuffer(file.read(8))[0])
    return PersonIndex(index, scale)


def search_all(
    indexes: Sequence[PersonIndex],
    queries: Sequence[np.ndarray],
    allowed: Sequence[np.ndarray | None],
    count: int,
    threads: int = THREADS,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Search several indexes, each with a query of its own: number of the index, row, cosine; best first.

    At most `count` in all.
    """
    faiss.omp_set_num_threads(1)  # each search is one thread's; the indexes are searched side by side
    with ThreadPoolExecutor(threads) as pool:
        found = list(
            pool.map(lambda one: one[0].search(one[1], count, one[2]), zip(indexes, queries, allowed, strict=True))
        )
    number = np.concatenate([np.full(len(rows), n) for n, (rows, _) in enumerate(found)] or [np.zeros(0, int)])
    rows = np.concatenate([rows for rows, _ in found] or [np.zeros(0, np.int64)])
    cosines = np.concatenate([cosines for _, cosines in found] or [np.zeros(0, np.float32)])
    best = np.argsort(-cosines, kind="stable")[:count]
    return number[best], rows[best], cosines[best]
