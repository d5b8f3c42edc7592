"""Damaged recordings, pictures and configurations, by the thousand: none may crash the reader, or make it hang.

    python -m tests.benchmarks.fuzz [--cases 100000] [--seed 1]

Each case is a seed file with random mutations, told by its number, so that one that fails can be looked at again. Cases
run in worker processes. A worker that dies is a crash, and so is an error that is none of this project's own; one that
takes longer than `HANG_S` over a case is a hang.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path

import av
import numpy as np
from PIL import Image

from detection.container import VideoError
from detection.guarded_picture import PictureRefused, decode_picture
from detection.video import Recording, VideoReader
from flows.store_reading import examine_store
from flows.users import UsersError, read_users

HANG_S = 20.0
WORKERS = 2
MEMORY = 4 << 30
FORMATS = {"mp4": "libx264", "mkv": "libx264", "avi": "mpeg4", "webm": "libvpx", "h264": "libx264", "mjpeg": "mjpeg"}
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
STORE = """\
id: corner
name: Corner shop
timezone: Europe/Berlin
opening_hours: {monday: ["09:00-13:00", "15:00-20:00"]}
floor: {width_m: 12, depth_m: 9, fixtures: [{kind: shelf, height_m: 1.6, polygon: [[1, 1], [2, 1], [2, 4]]}]}
recordings: {path: "videos/{camera}/%Y-%m-%d_%H-%M-%S.mp4", clock: UTC, assumed_fps: 25}
cameras:
  - id: west
    sampling_fps: 5
    image_size: [960, 540]
    calibration:
      points:
        - {pixel: [100, 500], floor: [1, 1]}
        - {pixel: [800, 500], floor: [9, 1]}
        - {pixel: [700, 200], floor: [9, 8]}
        - {pixel: [200, 200], floor: [1, 8]}
zones:
  - {id: aisle, name: Aisle, kind: aisle, polygon: [[1, 1], [5, 1], [5, 5], [1, 5]]}
entrances:
  - {id: main, line: [[4, 0], [6, 0]], inside: [5, 2]}
privacy: {embeddings_days: 7}
find: {purpose: Finding lost children}
"""
USERS = "users:\n  - name: anna\n    password: $argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaA\n    roles: [find]\n"
NASTY = (
    '!!python/object/apply:os.system ["true"]',
    "!!python/name:os.system",
    "&a [*a, *a]",
    "*a",
    "<<: *a",
    "[" * 3000,
    "{a: " * 1000,
    "9" * 5000,
    ".nan",
    ".inf",
    "-1e309",
    "0x" + "f" * 400,
    "1:30:00",
    "2025-02-30",
    "null",
    "~",
    "''",
    "../../../etc/passwd",
    "\x00",
    "\ud7ff\uffff",
    "? [a]\n: b",
    "- -",
    "!!binary x",
    "!!timestamp 1",
    "%TAG ! tag:x",
    "---\n...",
    "|\n",
    "true",
)


@dataclass
class Result:
    """A campaign's outcome; `failures` names cases, crashes and hangs alike."""

    cases: int = 0
    crashes: int = 0
    hangs: int = 0
    failures: list[str] = field(default_factory=list)


def mutated(data: bytes, random: np.random.Generator, other: bytes) -> bytes:
    """The data with one to eight mutations; `other` is what may be spliced in."""
    result = bytearray(data)
    for _ in range(int(random.integers(1, 9))):
        if not result:
            break
        at, size = int(random.integers(len(result))), int(random.integers(1, 33))
        what = int(random.integers(8))
        if what == 0:
            result[at] ^= 1 << int(random.integers(8))
        elif what == 1:
            result[at : at + size] = random.bytes(size)
        elif what == 2:
            del result[at : at + size]
        elif what == 3:
            result[at:at] = result[at : at + size]
        elif what == 4:
            width = int(random.choice((1, 2, 4, 8)))
            number = int(random.choice(INTERESTING)) & ((1 << 8 * width) - 1)
            result[at : at + width] = number.to_bytes(width, ("big", "little")[int(random.integers(2))])
        elif what == 5:
            del result[at:]
        elif what == 6:
            start = int(random.integers(max(len(other), 1)))
            result[at : at + size * 8] = other[start : start + size * 8]
        else:
            result[at : at + size] = bytes([int(random.integers(256))]) * size
    return bytes(result)


def decode_case(number: int, seed: int, folder: Path) -> None:
    """A damaged recording through demuxer, decoder and clock; every eighth case is a damaged picture."""
    random = np.random.default_rng((seed, number, 0))
    if number % 8 == 7:
        pictures = picture_seeds()
        data = mutated(pictures[number // 8 % len(pictures)], random, pictures[0])
        with contextlib.suppress(PictureRefused):
            decode_picture(data)
        return
    clips = clip_seeds()
    (kind, clip), (_, other) = (clips[int(random.integers(len(clips)))] for _ in range(2))
    path = folder / f"case.{kind}"
    path.write_bytes(mutated(clip, random, other))
    with contextlib.suppress(VideoError):
        reader = VideoReader(Recording(str(path), "west", 0), 10.0, to_us=10_000_000, threads=1)
        for _ in reader:
            pass
        assert reader.report.seconds_seen >= 0


def config_case(number: int, seed: int, folder: Path) -> None:
    """A damaged store.yaml, or file of users, through its reader."""
    random = np.random.default_rng((seed, number, 1))
    is_store = number % 8 != 7
    lines = (STORE if is_store else USERS).splitlines()
    for _ in range(int(random.integers(1, 4))):
        at, what = int(random.integers(len(lines))), int(random.integers(5))
        if what == 0:
            del lines[at]
            lines = lines or [""]
        elif what == 1:
            lines.insert(at, lines[int(random.integers(len(lines)))])
        elif what == 2:
            key, colon, _ = lines[at].partition(":")
            lines[at] = f"{key}{colon} {random.choice(NASTY)}"
        elif what == 3:
            lines[at] = " " * int(random.integers(5)) + lines[at].lstrip()
        else:
            lines[at] = mutated(lines[at].encode(), random, STORE.encode()).decode("utf-8", "replace")
    path = folder / "case.yaml"
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass")
    path.chmod(0o600)
    if is_store:
        examine_store(path)
    else:
        with contextlib.suppress(UsersError):
            read_users(path)


@lru_cache
def clip_seeds() -> list[tuple[str, bytes]]:
    """Small recordings, one a format."""
    seeds = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, codec in FORMATS.items():
            path = f"{folder}/seed.{kind}"
            with av.open(path, "w") as video:
                stream = video.add_stream(codec, rate=10)
                stream.width, stream.height, stream.pix_fmt = 48, 32, "yuvj420p" if kind == "mjpeg" else "yuv420p"
                for number in range(8):
                    picture = np.random.default_rng(number // 3).integers(0, 255, (32, 48, 3), np.uint8)
                    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                    frame.pts, frame.time_base = number, Fraction(1, 10)
                    video.mux(stream.encode(frame))
                video.mux(stream.encode(None))
            seeds.append((kind, Path(path).read_bytes()))
    return seeds


@lru_cache
def picture_seeds() -> list[bytes]:
    seeds = []
    for kind, options in (("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {})):
        out = io.BytesIO()
        picture = Image.fromarray(np.random.default_rng(1).integers(0, 255, (24, 16, 3), np.uint8))
        picture.save(out, kind, **options)
        seeds.append(out.getvalue())
    return seeds


CAMPAIGNS: dict[str, Callable[[int, int, Path], None]] = {"decode": decode_case, "config": config_case}


def _work(name: str, seed: int, numbers: range, told: Connection) -> None:
    """Run cases and tell each before and what went wrong after; the parent watches."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    av.logging.set_level(None)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            told.send((number, ""))
            try:
                CAMPAIGNS[name](number, seed, Path(folder))
            except BaseException as error:
                told.send((number, f"{type(error).__name__}: {error}"[:300]))
    told.send((numbers.stop, ""))


def _watched(name: str, seed: int, numbers: range, result: Result) -> Iterator[None]:
    """Runs cases in a worker and starts another where it dies or hangs."""
    context = multiprocessing.get_context("spawn")
    while numbers:
        here, there = context.Pipe(duplex=False)
        worker = context.Process(target=_work, args=(name, seed, numbers, there), daemon=True)
        worker.start()
        there.close()
        current, since = numbers.start, time.monotonic() + 60  # a worker's start takes a while
        while current < numbers.stop:
            try:
                if here.poll(0.2):
                    current, problem = here.recv()
                    since = time.monotonic()
                    if problem:
                        result.crashes += 1
                        result.failures.append(f"{name} case {current}, seed {seed}: {problem}")
                elif time.monotonic() - since > HANG_S:
                    result.hangs += 1
                    result.failures.append(f"{name} case {current}, seed {seed}: over {HANG_S:.0f} s")
                    break
            except EOFError:
                worker.join()
                result.crashes += 1
                result.failures.append(f"{name} case {current}, seed {seed}: the worker died ({worker.exitcode})")
                break
            yield
        worker.kill()
        worker.join()
        here.close()
        numbers = range(min(current + 1, numbers.stop), numbers.stop) if current < numbers.stop else range(0)


def campaign(cases: int, seed: int = 1) -> Result:
    """Run so many cases, half of them recordings and pictures, half configurations, side by side."""
    result = Result(cases=cases)
    half = cases // 2
    runs = [_watched("decode", seed, range(half), result), _watched("config", seed, range(cases - half), result)]
    while runs:
        for run in list(runs):
            if next(run, "ended") == "ended":
                runs.remove(run)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    result = campaign(chosen.cases, chosen.seed)
    print(json.dumps(result.__dict__, indent=1))


if __name__ == "__main__":
    main()
