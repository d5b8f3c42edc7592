"""Saving store.yaml: comments stay, what is wrong is refused, the old file is kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dashboards.store_file import StoreFileChanged, changed_text, fingerprint, save_changes
from flows.config import StoreConfig
from flows.store_reading import StoreConfigError, load_store
from flows.stores import DEMO


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = Path(shutil.copy(DEMO, tmp_path / "store.yaml"))
    path.write_text(path.read_text().replace("    name: Aisle 2\n", "    name: Aisle 2  # the wine\n"))
    return path


def zones(store: StoreConfig) -> list[dict]:
    return [zone.model_dump() | {"was": zone.id} for zone in store.zones]


def test_only_what_was_changed_changes(file: Path) -> None:
    before = file.read_text().splitlines()
    items = zones(load_store(file))
    items[1]["capacity"] = 7
    backup = save_changes(file, fingerprint(file), zones=items)
    after = file.read_text().splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [("    capacity: 3", "    capacity: 7")]
    assert backup.read_text().splitlines() == before
    assert load_store(file).zones[1].capacity == 7


def test_zones_come_go_and_are_renamed(file: Path) -> None:
    items = [item for item in zones(load_store(file)) if item["id"] != "aisle_1"]
    items[0] |= {"id": "wine"}
    items.append(
        {"was": None, "id": "new", "name": None, "kind": "other", "polygon": ((1.0, 1.0), (2.5, 1.0), (2.0, 2.0))}
    )
    save_changes(file, fingerprint(file), zones=items)
    assert [zone.id for zone in load_store(file).zones][:2] == ["wine", "aisle_3"]
    text = file.read_text()
    assert "- id: wine\n    name: Aisle 2  # the wine" in text and "polygon: [[1, 1], [2.5, 1], [2, 2]]" in text


def test_a_calibration_is_written_in_lines_people_read(file: Path) -> None:
    camera = load_store(file).cameras[0]
    points = [point.model_dump() for point in camera.calibration.points]
    points[0]["pixel"] = (795.4, 226.9)
    save_changes(file, fingerprint(file), cameras={camera.id: {"calibration": {"points": points}}})
    assert "- {pixel: [795.4, 226.9], floor: [2.2, 2.6]}" in file.read_text()
    assert load_store(file).cameras[0].calibration.points[0].pixel == (795.4, 226.9)


def test_what_is_wrong_is_refused_and_the_file_stays(file: Path) -> None:
    before = file.read_bytes()
    items = zones(load_store(file))
    items[0]["polygon"] = ((1, 1), (3, 3), (1, 3), (3, 1))
    items[2]["id"] = items[1]["id"]
    with pytest.raises(StoreConfigError) as refused:
        save_changes(file, fingerprint(file), zones=items)
    assert len(refused.value.problems) >= 1
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["store.yaml"]


@pytest.mark.case("sibling: two people edit a store at once")
def test_a_file_that_someone_else_changed_is_not_overwritten(file: Path) -> None:
    read_as = fingerprint(file)
    file.write_text(file.read_text() + "# by hand\n")
    with pytest.raises(StoreFileChanged, match="reload"):
        save_changes(file, read_as, zones=zones(load_store(file)))
    assert file.read_text().endswith("# by hand\n")


def test_saving_what_was_read_changes_nothing(file: Path) -> None:
    text = file.read_text()
    store = load_store(file)
    entrances = [entrance.model_dump() | {"was": entrance.id} for entrance in store.entrances]
    assert changed_text(text, zones=zones(store), entrances=entrances) == text
