from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from flows.store_reading import StoreConfigError, load_store
from flows.stores import DEMO, find_store, store_files


@pytest.fixture
def store(tmp_path: Path):
    """Write the demo store with changes; returns its path."""

    def write(change=None, text: str | None = None) -> Path:
        data = yaml.safe_load(DEMO.read_text())
        if change:
            change(data)
        path = tmp_path / "store.yaml"
        path.write_text(text if text is not None else yaml.safe_dump(data, sort_keys=False))
        return path

    return write


def problems(path: Path) -> list[str]:
    with pytest.raises(StoreConfigError) as caught:
        load_store(path)
    return [str(problem) for problem in caught.value.problems]


def test_the_demo_store_is_valid_and_its_calibration_fits():
    config = load_store(DEMO)
    assert [camera.id for camera in config.cameras] == ["checkout", "west", "south"]
    assert all(camera.floor_calibration.reprojection_error_m < 0.05 for camera in config.cameras)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d.update(nme="x"), "nme: is not a field here"),
        (lambda d: d.pop("floor"), "floor: is missing"),
        (lambda d: d["cameras"][1].update(sampling_fps=0), "cameras[1].sampling_fps: input should be greater than"),
        (lambda d: d.update(timezone="Berlin"), "timezone: 'Berlin' is no IANA time zone"),
        (lambda d: d["zones"][0].update(polygon=[[0, 0], [2, 2], [2, 0], [0, 2]]), "zones[0].polygon:"),
        (lambda d: d["zones"][0].update(polygon=[[0, 0], [2, 0], [900, 2]]), "lies outside the floor"),
        (lambda d: d["zones"][1].update(id="aisle_1"), "'aisle_1' is used twice"),
        (lambda d: d["zones"][1].update(camera="roof"), "there is no camera 'roof'"),
        (lambda d: d["entrances"][0].update(inside=[9, 0.8]), "inside lies on the line itself"),
        (lambda d: d.update(zones=[], entrances=[], cameras=[]), "cameras: holds 0; give at least 1"),
        (lambda d: d["recordings"].update(path="videos/all.mp4"), "must contain {camera}"),
        (lambda d: d["cameras"][0].update(id="../../etc"), "cameras[0].id:"),
        (lambda d: d.update(opening_hours={"friday": ["9-5"]}), "'9-5' is no span of the day"),
        (lambda d: d.update(staff={"zone": "lounge"}), "there is no zone 'lounge'"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_field_and_mend(store, change, expected):
    lines = problems(store(change))
    assert len(lines) == 1, lines
    assert expected in lines[0]


def test_all_mistakes_are_told_at_once_with_their_lines(store):
    def change(data):
        data["colour"] = "red"
        data["cameras"][0]["sampling_fps"] = -1
        data["zones"][2]["polygon"] = [[0, 0], [2, 2], [2, 0], [0, 2]]
        data["zones"][3]["camera"] = "roof"
        data["entrances"][0]["line"] = [[1, 1], [1, 1]]

    lines = problems(store(change))
    assert len(lines) == 5, lines
    text = Path(lines[0].split(":")[0]).read_text().splitlines()
    for line in lines:
        number = int(line.split(":")[1])
        field = line.split(": ")[1].split(".")[-1].split("[")[0]
        assert field in text[number - 1] or text[number - 1].lstrip().startswith("-")


def test_a_calibration_that_does_not_fit_states_its_error(store):
    def change(data):
        data["cameras"][0]["calibration"]["points"][0]["floor"] = [3.4, 3.4]

    (line,) = problems(store(change))
    assert "cameras[0]" in line
    assert re.search(r"reprojection error \d+\.\d+ m", line), line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id: [", "not valid YAML"),
        ("", "holds no fields"),
        ("- a\n- b\n", "holds no fields"),
        ("id: a\nid: b\n", "is given twice"),
        ("id: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
        ("a: &a [1, 2]\nb: [*a, *a]\n", "aliases"),
    ],
)
def test_what_is_no_configuration_is_refused_in_plain_words(store, text, expected):
    assert expected in "\n".join(problems(store(text=text)))


def test_a_missing_file_is_told(tmp_path):
    assert "cannot be read" in problems(tmp_path / "none.yaml")[0]


@pytest.mark.parametrize(("day", "hours"), [(date(2025, 3, 30), 23), (date(2025, 10, 26), 25), (date(2025, 7, 1), 24)])
def test_a_local_day_has_the_hours_its_clock_gives_it(day, hours):
    start, end = load_store(DEMO).day_window(day)
    assert end - start == hours * 3_600_000_000


def test_opening_hours_may_pass_midnight_and_may_be_closed(store):
    config = load_store(store(lambda d: d.update(opening_hours={"friday": ["22:00-02:00"]})))
    ((start, end),) = config.open_windows(date(2025, 3, 14))
    assert end - start == 4 * 3_600_000_000
    assert config.open_windows(date(2025, 3, 15)) == []


def test_stores_are_found_by_id(tmp_path, store, monkeypatch):
    monkeypatch.delenv("AISLEFLOW_STORES", raising=False)
    assert store_files() == [DEMO]
    folder = tmp_path / "stores" / "north"
    folder.mkdir(parents=True)
    (folder / "store.yaml").write_text(DEMO.read_text().replace("id: demo", "id: north", 1))
    assert find_store("north", tmp_path / "stores") == folder / "store.yaml"
    with pytest.raises(StoreConfigError, match="there is no store 'south' \\(found: north\\)"):
        find_store("south", tmp_path / "stores")
