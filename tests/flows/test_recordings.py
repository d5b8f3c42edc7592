from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
import yaml

from flows.recordings import find_camera_day
from flows.store_reading import load_store
from flows.stores import DEMO
from tests.flows.clips import write_clip

DAY = date(2025, 3, 14)
NINE_UTC = 1_741_942_800_000_000  # 2025-03-14T09:00:00Z, ten o'clock in Berlin


@pytest.fixture
def find(tmp_path: Path):
    def find(template: str, day: date = DAY, **recordings):
        data = yaml.safe_load(DEMO.read_text())
        data["recordings"] = {"path": template, **recordings}
        (tmp_path / "store.yaml").write_text(yaml.safe_dump(data))
        config = load_store(tmp_path / "store.yaml")
        return find_camera_day(config, tmp_path, config.cameras[1], day)

    return find


def test_the_name_gives_camera_and_start_in_the_stores_time(find, tmp_path):
    write_clip(tmp_path / "videos/west/2025-03-14_10-00-00.mp4", seconds=2)
    write_clip(tmp_path / "videos/south/2025-03-14_10-00-00.mp4")
    (file,) = find("videos/{camera}/%Y-%m-%d_%H-%M-%S.mp4").files
    assert (file.camera, file.start_us, file.end_us) == ("west", NINE_UTC, NINE_UTC + 2_000_000)


def test_a_store_given_by_a_relative_path_finds_its_recordings(tmp_path, monkeypatch):
    write_clip(tmp_path / "west/2025-03-14_10-00-00.mp4")
    data = yaml.safe_load(DEMO.read_text()) | {"recordings": {"path": "{camera}/%Y-%m-%d_%H-%M-%S.mp4"}}
    (tmp_path / "store.yaml").write_text(yaml.safe_dump(data))
    monkeypatch.chdir(tmp_path)
    config = load_store("store.yaml")
    assert len(find_camera_day(config, Path("store.yaml").parent, config.cameras[1], DAY).files) == 1


def test_a_recorder_may_have_a_clock_of_its_own(find, tmp_path):
    write_clip(tmp_path / "west-20250314T090000.mp4")
    (file,) = find("{camera}-%Y%m%dT%H%M%S.mp4", clock="UTC").files
    assert file.start_us == NINE_UTC


def test_files_of_the_day_come_in_order_and_others_stay_out(find, tmp_path):
    for name in ("2025-03-14_12-00-00", "2025-03-14_10-00-00", "2025-03-13_10-00-00", "2025-03-15_00-00-00"):
        write_clip(tmp_path / f"west/{name}.mp4")
    found = find("{camera}/%Y-%m-%d_%H-%M-%S.mp4").files
    assert [Path(file.path).stem for file in found] == ["2025-03-14_10-00-00", "2025-03-14_12-00-00"]


def test_a_file_that_runs_past_midnight_belongs_to_both_days(find, tmp_path):
    write_clip(tmp_path / "west/2025-03-13_23-59-59.mp4", seconds=3)
    template = "{camera}/%Y-%m-%d_%H-%M-%S.mp4"
    assert len(find(template).files) == len(find(template, date(2025, 3, 13)).files) == 1


def test_a_sidecar_tells_the_start_where_the_name_does_not(find, tmp_path):
    clip = write_clip(tmp_path / "west/entrance hall.mp4")
    Path(f"{clip}.json").write_text(json.dumps({"start": "2025-03-14T09:00:00Z"}))
    (file,) = find("{camera}/*.mp4").files
    assert file.start_us == NINE_UTC


def test_the_container_tells_the_start_where_nothing_else_does(find, tmp_path):
    write_clip(tmp_path / "west/a.mp4", metadata={"creation_time": "2025-03-14T09:00:00Z"})
    (file,) = find("{camera}/*.mp4").files
    assert file.start_us == NINE_UTC


@pytest.mark.parametrize(
    ("content", "expected"),
    [("{", "does not hold a start time"), ('{"start": "2025-03-14T09:00:00"}', "has no time zone")],
)
def test_a_sidecar_that_says_nothing_usable_is_a_problem(find, tmp_path, content, expected):
    clip = write_clip(tmp_path / "west/a.mp4")
    Path(f"{clip}.json").write_text(content)
    found = find("{camera}/*.mp4")
    assert found.files == ()
    assert expected in found.problems[0]


def test_a_file_without_any_start_says_what_to_add(find, tmp_path):
    write_clip(tmp_path / "west/a.mp4")
    assert "nothing says when it begins" in find("{camera}/*.mp4").problems[0]


def test_what_is_no_video_is_a_problem_of_its_day_and_no_other(find, tmp_path):
    bad = tmp_path / "west/2025-03-14_10-00-00.mp4"
    bad.parent.mkdir()
    bad.write_bytes(b"not a video")
    template = "{camera}/%Y-%m-%d_%H-%M-%S.mp4"
    assert "2025-03-14_10-00-00.mp4" in find(template).problems[0]
    assert find(template, date(2025, 3, 15)).problems == ()
