"""Odd recordings from file to lake: cut, damaged, mute about time, copied, or made by a clock that was put back."""

from __future__ import annotations

import shutil
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.detection.clips import cut_file, drop_packets
from tests.flows.painted import DAY, SIZE, Painted, PaintedStore, painted_picture, walks

VISITOR = walks(0, (2, 20, 200), (4, 160, 200), (14, 160, 200), (18, 300, 200))
"""Comes into the aisle (x from 80 to 240 px) after 2.857 s and leaves it after 16.286 s."""
ENTERS_S = 2 + 60 / 70
DWELL_S = (14 + 80 / 35) - ENTERS_S


def visit_seconds(shop: PaintedStore) -> list[float]:
    return shop.table("visits")["dwell_s"].tolist()


def name_recordings(shop: PaintedStore, ending: str) -> None:
    shop.data["recordings"]["path"] = f"videos/{{camera}}/%Y-%m-%d_%H-%M-%S{ending}"


@pytest.mark.case("opencv 8834, opencv-python 123")
def test_dwell_is_that_of_presentation_times_where_the_rate_changes(shop):
    shop.clip([VISITOR], [*np.arange(0, 10, 0.2), *np.arange(10, 20, 1 / 30)])
    assert shop.run() == 0
    assert visit_seconds(shop) == pytest.approx([DWELL_S], abs=0.1)  # a sampled frame
    assert shop.problems == ""


@pytest.mark.case("opencv 17276")
def test_a_gap_is_reported_and_no_visit_bridges_it(shop):
    clip = shop.clip([VISITOR], 20)
    drop_packets(clip, clip.with_name("cut.mp4"), 6, 12).replace(clip)
    assert shop.run() == 0
    assert shop.gaps() == [
        (pytest.approx(6, abs=0.11), pytest.approx(12, abs=0.11), "no pictures in the recording"),
        (pytest.approx(20, abs=0.11), 60, "no recording"),
    ]
    assert "read 70 % of 20.0 s" in shop.problems
    visits = shop.table("visits")
    assert visits["dwell_s"].sum() == pytest.approx(DWELL_S - 6, abs=0.2)
    assert visits["truncated"].tolist() == [True, True] and visits["person_id"].nunique() == 1
    counts = shop.table("zone_counts")
    assert counts["coverage"].tolist() == pytest.approx([14 / 60] * 2, abs=0.01)


@pytest.mark.case("opencv 15352, 16576")
@pytest.mark.parametrize(
    ("ending", "options"),
    [
        (".avi", {"codec": "mpeg4", "time_base": Fraction(1, 1000)}),
        (".webm", {"codec": "libvpx"}),
        (".mp4", {"options": {"movflags": "faststart"}}),
    ],
)
def test_what_can_be_read_of_a_cut_file_counts_and_the_rest_is_said(shop, capfd, ending, options):
    name_recordings(shop, ending)
    cut = cut_file(shop.clip([VISITOR], 40, suffix=ending, **options), 1 / 3)
    cut.replace(cut.with_name(cut.name.removeprefix("cut_")))
    assert shop.run() == 0
    seen_s = shop.account["cameras"][0]["seconds_seen"]
    assert 2 < seen_s < 38
    assert "of 40.0 s; the recording ends early" in shop.problems
    assert [reason for _, _, reason in shop.gaps()] == ["no pictures in the recording", "no recording"]
    assert f"in the {seen_s / 60:.0%} of the opening hours that the cameras saw" in capfd.readouterr().out
    counts = shop.table("zone_counts")
    assert counts["coverage"].tolist() == pytest.approx([seen_s / 60] * 2, abs=0.01)
    seen_in_aisle_s = min(max(seen_s - ENTERS_S, 0), DWELL_S)
    assert visit_seconds(shop) == pytest.approx([seen_in_aisle_s], abs=0.3)
    assert counts["dwell_s"].tolist() == pytest.approx([seen_in_aisle_s] * 2, abs=0.3)


@pytest.mark.case("opencv 15352, 16576")
def test_a_file_cut_before_its_index_is_refused_or_with_another_one_told(shop, capfd):
    cut = cut_file(shop.clip([VISITOR], 20), 1 / 3)
    cut.replace(cut.with_name(cut.name.removeprefix("cut_")))
    assert shop.run() == 2 and "read 0 %: no video, or one whose index is cut off" in capfd.readouterr().err
    shop.clip([VISITOR], 20, start="10-00-30")
    assert shop.run("--partial") == 0
    assert "10-00-00.mp4: read 0 %" in shop.problems
    assert visit_seconds(shop) == pytest.approx([DWELL_S], abs=0.1)


def zero_the_pictures(clip) -> None:
    content = clip.read_bytes()
    first, last = content.index(b"mdat") + 4, content.index(b"moov") - 4
    clip.write_bytes(content[:first] + bytes(last - first) + content[last:])


def fake_the_codec(clip) -> None:
    clip.write_bytes(clip.read_bytes().replace(b"avc1", b"zzzz"))


@pytest.mark.case("opencv 29722")
@pytest.mark.parametrize(
    ("spoil", "status", "told"),
    [(fake_the_codec, 2, "no decoder"), (zero_the_pictures, 1, "not one picture could be read")],
)
def test_a_day_of_which_nothing_decodes_fails_and_is_no_quiet_day(shop, capfd, spoil, status, told):
    spoil(shop.clip([VISITOR], 20))
    assert shop.run() == status and shop.run("--partial") == status
    assert told in capfd.readouterr().err
    assert len(shop.table("runs")) == 0 and len(shop.table("zone_counts")) == 0


@pytest.mark.case("PyAV 1023")
def test_b_frames_do_not_send_anyone_back_and_forth(shop):
    gate = {"id": "main", "line": [[8, 0], [8, 12]], "inside": [12, 6]}
    shop.data["entrances"] = [gate]
    shop.clip([walks(0, (1, 20, 200), (9, 300, 200))], 10, b_frames=3)
    assert shop.run() == 0
    assert shop.table("footfall")["direction"].tolist() == ["in"]
    places = shop.table("positions").sort_values("time")
    assert (np.diff(places["x_m"]) > -0.06).all()  # half a pixel, the coding's


def stamp_a_burst_alike(clip) -> None:
    """Let 20 packets of a Matroska file carry one and the same time."""
    copy = clip.with_name("copy.mkv")
    with av.open(str(clip)) as source, av.open(str(copy), "w") as target:
        stream = source.streams.video[0]
        out = target.add_stream_from_template(stream)
        for number, packet in enumerate(source.demux(stream)):
            if packet.dts is None:
                continue
            if 50 <= number < 70:
                packet.pts = packet.dts = 4900
            packet.stream = out
            target.mux(packet)
    copy.replace(clip)


@pytest.mark.case("PyAV 1105, 493")
def test_raw_video_runs_at_the_configured_rate_and_says_so(shop):
    name_recordings(shop, ".h264")
    shop.data["recordings"]["assumed_fps"] = 10
    shop.clip([VISITOR], 20, suffix=".h264")
    assert shop.run() == 0
    assert "recordings without timestamps, taken as 10 frames a second" in shop.problems
    assert visit_seconds(shop) == pytest.approx([DWELL_S], abs=0.1)


@pytest.mark.case("PyAV 1105, 493")
def test_a_burst_of_equal_stamps_makes_no_null_and_no_time_twice(shop):
    name_recordings(shop, ".mkv")
    stamp_a_burst_alike(shop.clip([VISITOR], 20, suffix=".mkv", b_frames=0))
    assert shop.run() == 0
    assert "20 not later than the frame before" in shop.problems
    places = shop.table("positions")
    assert places["time"].notna().all() and not places.duplicated(["camera", "track_id", "time"]).any()
    assert visit_seconds(shop) == pytest.approx([DWELL_S], abs=0.1)


@pytest.mark.case("opendatacam 103")
def test_a_recording_processed_twice_counts_once(shop):
    shop.clip([VISITOR], 20)
    found = []
    for fresh in (False, False, True):
        if fresh:
            shutil.rmtree(f"{shop.lake}/_chunks")
        assert shop.run() == 0
        found.append({name: shop.table(name) for name in ("visits", "zone_counts", "identities", "positions")})
    assert len(found[0]["visits"]) == 1
    for again in found[1:]:
        assert all(again[name].equals(found[0][name]) for name in found[0])


@pytest.mark.case("sibling: a copy of a recording lies beside it")
def test_a_copied_recording_counts_once_and_is_told(shop):
    name_recordings(shop, "*.mp4")
    clip = shop.clip([VISITOR], 20)
    shutil.copy(clip, clip.with_name(f"{clip.stem} (1).mp4"))
    assert shop.run() == 0
    assert len(visit_seconds(shop)) == 1 and shop.table("identities")["person_id"].nunique() == 1
    assert "a copy, or the recorder's clock was put back" in shop.problems


@pytest.mark.case("sibling: the recorder's clock is put back in mid-day")
def test_recordings_that_overlap_after_a_clock_was_put_back_are_told(shop, capfd):
    shop.clip([VISITOR], 20)
    shop.clip([walks(3, (0, 160, 200), (19, 160, 200))], 20, start="10-00-10")
    assert shop.run() == 0
    told = "10-00-10.mp4 begins 10 s before 2025-03-14_10-00-00.mp4 ends"
    assert told in shop.problems and told in capfd.readouterr().err
    assert "its first 10 s were left out" in shop.problems
    assert shop.account["cameras"][0]["seconds_seen"] == pytest.approx(30, abs=0.2)


@pytest.mark.case("sibling: a muxer that stamps from the hour, Matroska with a late first time")
def test_a_late_first_stamp_is_no_hour_without_pictures(shop):
    name_recordings(shop, ".mkv")
    shop.clip([VISITOR], 20, suffix=".mkv", options={"output_ts_offset": "3600"})
    assert shop.run() == 0
    assert shop.problems == ""
    assert shop.gaps() == [(pytest.approx(20, abs=0.1), 60, "no recording")]
    assert visit_seconds(shop) == pytest.approx([DWELL_S], abs=0.1)


@pytest.mark.case("sibling: MPEG-TS whose clock wraps round")
def test_a_transport_streams_clock_may_wrap(shop):
    name_recordings(shop, ".ts")
    wrap_s = 2**33 / 90_000
    options = {"output_ts_offset": str(wrap_s - 10), "mpegts_copyts": "1"}
    shop.clip([VISITOR], 20, suffix=".ts", options=options)
    assert shop.run() == 0
    assert visit_seconds(shop) == pytest.approx([DWELL_S], abs=0.1) and shop.problems == ""


@pytest.mark.case("sibling: a recording whose sound is longer than its pictures")
def test_sound_makes_no_video_time(shop):
    clip = shop.folder / "videos/cam" / f"{DAY}_10-00-00.mp4"
    clip.parent.mkdir(parents=True)
    with av.open(str(clip), "w") as container:
        sound, video = container.add_stream("aac", rate=16_000), container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        for number in range(200):
            frame = av.VideoFrame.from_ndarray(painted_picture(number / 10, [VISITOR]), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(video.encode(frame))
        for number in range(16_000 * 30 // 1024):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            silence.sample_rate, silence.pts = 16_000, number * 1024
            container.mux(sound.encode(silence))
        container.mux(video.encode())
        container.mux(sound.encode())
    assert shop.run() == 0
    assert shop.problems == "" and visit_seconds(shop) == pytest.approx([DWELL_S], abs=0.1)
    assert shop.account["cameras"][0]["seconds_seen"] == pytest.approx(20, abs=0.1)


@pytest.mark.case("sibling: the picture's size changes in mid-file")
def test_a_size_that_changes_on_the_way_is_told(shop):
    name_recordings(shop, ".ts")
    first = shop.clip([VISITOR], 10, suffix=".ts")
    second = shop.clip(
        [VISITOR], 10, suffix=".ts", first_s=10, start="b", size=(640, 480), options={"output_ts_offset": "10"}
    )
    first.write_bytes(first.read_bytes() + second.read_bytes())
    second.unlink()
    assert shop.run() == 0
    assert "the picture changes from 320x240 to 640x480" in shop.problems
    assert len(visit_seconds(shop)) == 1


@pytest.mark.case("sibling: time-lapse, a picture every five seconds")
def test_a_recorder_too_slow_to_follow_anyone_has_low_coverage_and_says_why(shop, capfd):
    shop.clip([Painted(0, lambda second: (160, 200))], np.arange(0, 60, 5.0))
    assert shop.run() == 0
    assert "no pictures; gaps:" in shop.problems
    assert (shop.table("zone_counts")["coverage"] < 0.1).all()
    assert "of the opening hours that the cameras saw" in capfd.readouterr().out


@pytest.mark.case("sibling: an hour recorded at night, an hour of the day missed")
def test_pictures_outside_the_opening_hours_do_not_hide_what_was_missed(shop, capfd):
    shop.clip([VISITOR], 30)
    shop.clip([], 40, start="10-05-00")
    assert shop.run() == 0
    camera = shop.account["cameras"][0]
    assert camera["seconds_seen"] == pytest.approx(30, abs=0.2)
    assert camera["seconds_seen"] + camera["seconds_missing"] == camera["seconds_expected"] == 60
    assert "in the 50% of the opening hours" in capfd.readouterr().out


@pytest.mark.case("sibling: a recording runs past midnight")
def test_midnight_parts_a_recording_between_two_days(shop):
    shop.data["opening_hours"] = {}
    shop.clip([walks(0, (0, 160, 200), (40, 160, 200))], 40, start="23-59-40")
    assert shop.run() == 0 and shop.run("--date", "2025-03-15") == 0
    visits = shop.table("visits").sort_values("enter")
    assert visits["dwell_s"].tolist() == pytest.approx([20, 20], abs=0.1)
    assert visits["truncated"].tolist() == [True, True]
    assert visits["exit"].iloc[0] == visits["enter"].iloc[1]


@pytest.mark.case("sibling: an empty file among good ones")
def test_a_placeholder_of_no_bytes_is_told_and_the_rest_counts(shop, capfd):
    shop.clip([VISITOR], 20)
    (shop.folder / "videos/cam" / f"{DAY}_10-00-30.mp4").write_bytes(b"")
    assert shop.run() == 2
    told = capfd.readouterr().err
    assert "10-00-30.mp4: read 0 %: the file is empty; aisleflow run --partial goes on without it" in told
    assert shop.run("--partial") == 0
    assert "the file is empty" in shop.problems and len(visit_seconds(shop)) == 1
