"""Recordings on a network share, end to end: it goes away while a job runs, or its files are still being copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows import progress
from flows.due import due_days
from flows.lake import Lake
from flows.recordings import RecordingLost, check_still_there, content_of
from tests.flows.painted import PaintedStore, walks

STANDS = walks(0, (0, 160, 200), (40, 160, 200))


@contextmanager
def before_each_chunk(happens: Callable[[int], None]) -> Iterator[None]:
    """Let something happen before each chunk is processed; it is told the chunk's number."""
    process, number = progress.process_chunk, 0

    def processed(*arguments):
        nonlocal number
        happens(number)
        number += 1
        return process(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "process_chunk", processed)
        yield


def two_clips(shop: PaintedStore) -> Path:
    """Recordings of 10:00:00 and 10:00:30; gives the second."""
    shop.clip([STANDS], 4)
    return shop.clip([STANDS], 4, start="10-00-30", first_s=4)


@pytest.mark.case("sibling: the network share goes away while the job runs")
def test_a_share_that_goes_away_stops_the_job_and_leaves_no_hole(shop, capfd):
    clip = two_clips(shop)
    away = clip.with_name("away")

    def unmount(number: int) -> None:
        if number == 1:
            clip.rename(away)

    with before_each_chunk(unmount):
        assert shop.run("--partial") == 1
    (told,) = [line for line in capfd.readouterr().err.splitlines() if str(clip) in line]
    assert "can't be read any more (No such file or directory)" in told and "run again" in told
    assert Lake(shop.lake).days() == []
    away.rename(clip)
    assert shop.run() == 0
    assert shop.problems == "" and shop.table("visits")["dwell_s"].sum() == pytest.approx(8, abs=0.2)


@pytest.mark.case("sibling: a recording that is still being copied")
def test_a_recording_that_grew_since_the_plan_is_not_kept_as_a_hole(shop, capfd):
    clip = two_clips(shop)
    whole = clip.read_bytes()

    def still_copying(number: int) -> None:
        if number == 1:
            clip.write_bytes(whole[: len(whole) // 3])

    with before_each_chunk(still_copying):
        assert shop.run() == 1
    assert "was written anew while it was being read" in capfd.readouterr().err
    clip.write_bytes(whole)
    assert shop.run() == 0 and shop.problems == ""


@pytest.mark.case("sibling: a recording that is still being copied")
def test_a_day_processed_before_the_copying_ended_is_due_again(shop):
    clip = two_clips(shop)
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) // 3])
    assert shop.run("--partial") == 0 and "read 0 %" in shop.problems
    clip.write_bytes(whole)
    (due,) = due_days(shop.file, Lake(shop.lake))
    assert due.why == f"late: {clip.name}"
    assert shop.run() == 0 and shop.problems == ""


@pytest.mark.case("sibling: the lake's own share is away")
def test_a_lake_that_begins_anew_is_told(shop, capfd):
    shop.clip([STANDS], 2)
    told = f"warning: {shop.lake} holds no day yet: a new lake begins there. If it should hold some"
    assert shop.run() == 0 and told in capfd.readouterr().err
    assert shop.run() == 0 and "holds no day yet" not in capfd.readouterr().err


def test_a_damaged_recording_is_still_there(tmp_path):
    file = tmp_path / "damaged.mp4"
    file.write_bytes(b"no video")
    content = content_of(str(file))
    check_still_there(str(file), content)
    for address, told in (("memory://share/clip.mp4", "be read any more"), (str(file), "written anew")):
        with pytest.raises(RecordingLost, match=told):
            check_still_there(address, "another content")
