"""Person search on tracklets of known looks: who is listed, in which order, and what answers change."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from flows import cli, tracklet_positions
from flows.find import Candidate, Filters, Query, TrackletName
from flows.find_audit import AuditLog, Entry
from flows.lake_layout import final_path
from flows.person_search import PersonSearch
from flows.places import SECOND_US
from flows.search_days import index_folder
from tests.flows.search_lake import DAY, REASON, TEN, Seen, looks, open_search, write_day, write_store

PEOPLE = [
    Seen(1, "west", 0, 1.10, "red", "blue", (2, 1)),
    Seen(1, "checkout", 60, 1.12, "red", "blue", (8, 2)),
    Seen(2, "west", 0, 1.75, "red", "black"),
    Seen(3, "west", 20, 1.20, "green", "blue"),
    Seen(4, "south", 30, 1.80, "black", "black"),
    Seen(5, "south", 40, 1.65, "red", "grey"),
    Seen(6, "checkout", 50, 1.70, "white", "blue"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    store = write_store(tmp_path)
    write_day(store, tmp_path / "lake", PEOPLE)
    return store


@pytest.fixture
def search(file: Path, tmp_path: Path) -> PersonSearch:
    return open_search(file, tmp_path / "lake")


def named(track: int) -> TrackletName:
    return TrackletName(DAY, PEOPLE[track - 1].camera, track)


def who(found: list[Candidate]) -> list[int]:
    return [one.person_id for one in found]


def test_who_looks_like_the_picture_comes_first_and_each_person_once(search: PersonSearch):
    found = search.find(Query(embedding=looks(1, 9)))
    assert who(found)[0] == 1
    assert sorted(who(found)) == [1, 2, 3, 4, 5, 6]
    assert set(found[0].sightings) == {named(1), named(2)}
    assert found[0].likelihood > 0.99 > found[1].likelihood
    assert found[0].similarity == pytest.approx(float(looks(1, 9) @ looks(1, found[0].name.track_id - 1)), abs=0.01)


def test_several_pictures_are_averaged_and_the_largest_person_is_cut_out(search: PersonSearch, monkeypatch):
    asked: list[np.ndarray] = []

    class Embedder:
        def embed(self, pictures: list[np.ndarray]) -> np.ndarray:
            asked.extend(pictures)
            return np.stack([looks(1, 20), looks(1, 21)])

    boxes = np.array([[10, 10, 20, 30], [40, 20, 100, 180]], np.float32)
    monkeypatch.setattr("flows.person_search.embedder_of", lambda _: Embedder())
    found = lambda _, picture: boxes if picture.shape[0] == 200 else boxes[:0]  # noqa: E731
    monkeypatch.setattr("flows.person_search.people_in", found)
    query = search.of_pictures([np.zeros((200, 150, 3), np.uint8), np.zeros((64, 32, 3), np.uint8)])
    assert [picture.shape for picture in asked] == [(176, 66, 3), (64, 32, 3)]
    assert query.embedding == pytest.approx((looks(1, 20) + looks(1, 21)) / 2)


def test_words_alone_find_by_clothes_and_height(search: PersonSearch, monkeypatch):
    monkeypatch.setattr("flows.person_search.embedder_of", lambda _: pytest.fail("the network was loaded"))
    assert who(search.find(Query(upper="red", age="child")))[0] == 1
    assert set(who(search.find(Query(age="child")))) == {1, 3}, "nobody who is surely an adult is listed"
    assert who(search.find(Query(upper="red", lower="black", age="adult")))[0] == 2


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        (Filters(cameras=("checkout",)), {1, 6}),
        (Filters(since_us=TEN + 36 * SECOND_US), {1, 5, 6}),
        (Filters(until_us=TEN + 10 * SECOND_US), {1, 2}),
        (Filters(heights_m=(1.0, 1.3)), {1, 3}),
        (Filters(cameras=("west",), heights_m=(1.0, 1.3), since_us=TEN + 15 * SECOND_US), {3}),
    ],
)
def test_filters_hold(search: PersonSearch, filters: Filters, left: set[int]):
    found = search.find(Query(embedding=looks(1, 9)), filters)
    assert set(who(found)) == left
    for one in found:
        assert not filters.cameras or one.name.camera in filters.cameras


def test_of_the_likeliest_the_last_seen_first(search: PersonSearch):
    found = search.find(Query(embedding=looks(1, 9)), count=4, newest_first=True)
    assert [one.end_us for one in found] == sorted((one.end_us for one in found), reverse=True)
    assert 1 in who(found)


def test_an_answer_sharpens_the_search_and_is_not_asked_again(search: PersonSearch):
    query = Query(embedding=looks(1, 9))
    cosine = {one.person_id: one.similarity for one in search.find(query)}
    query = search.answer(query, named(1), same_person=True)
    query = search.answer(query, named(3), same_person=False)
    again = search.find(query)
    assert 1 not in who(again) and 2 not in who(again), "both were answered about, with all their sightings"
    assert max(abs(one.similarity - cosine[one.person_id]) for one in again) > 0.01, "the query has turned"
    assert search.find(replace(query, confirmed=()))[0].person_id == 1


def test_a_sighting_asks_for_the_same_person_elsewhere(search: PersonSearch):
    found = search.find(search.of_tracklet(named(1)), Filters(cameras=("checkout",)))
    assert found[0].name == named(2)
    clicked = search.of_person_at("west", TEN, (130, 200))
    assert clicked.embedding is not None
    with pytest.raises(ValueError, match="nobody was tracked at that place"):
        search.of_person_at("west", TEN, (900, 500))
    with pytest.raises(ValueError, match="no camera 'cellar'"):
        search.find(clicked, Filters(cameras=("cellar",)))


def test_the_way_over_the_floor_and_where_it_ends(search: PersonSearch):
    path, last = search.path([named(2), named(1)])
    assert path["time_us"].is_monotonic_increasing
    assert path["camera"].tolist()[0] == "west" and path["camera"].tolist()[-1] == "checkout"
    assert path[["x_m", "y_m"]].iloc[0].tolist() == pytest.approx([2.2, 1.0])
    assert (last.camera, last.heading) == ("checkout", "east")
    assert last.x_m == pytest.approx(12.8) and last.speed_m_s == pytest.approx(1.0)
    assert last.time_us == TEN + 65 * SECOND_US


def test_where_each_sighting_ended_is_read_once_and_time_and_camera_stay_without_positions(
    search: PersonSearch, tmp_path: Path, monkeypatch
):
    names = [named(track) for track in (1, 2, 4)]
    reads = []
    read = tracklet_positions._read
    monkeypatch.setattr(tracklet_positions, "_read", lambda *asked: reads.append(1) or read(*asked))
    ended = search.last_seen_each(names)
    assert len(reads) == 1 and ended[named(2)].heading == "east"
    assert search.last_of(names) == named(2)
    (tmp_path / "lake" / final_path("positions", "demo", DAY.isoformat())).unlink()
    left = search.last_seen_each(names)
    assert [left[name].time_us for name in names] == [ended[name].time_us for name in names]
    assert left[named(2)].camera == "checkout" and left[named(2)].x_m is None and left[named(2)].heading is None


def test_an_empty_question_an_unknown_colour_and_a_day_without_colours_say_so(search: PersonSearch):
    with pytest.raises(ValueError, match="say whom to look for"):
        search.find(Query())
    with pytest.raises(ValueError, match="there is no such sighting"):
        search.answer(Query(age="child"), TrackletName(DAY, "west", 99), same_person=True)
    with pytest.raises(ValueError, match="'mauve' is none of the colours"):
        search.find(Query(upper="mauve"))


def test_days_are_joined_only_where_the_store_says_so(tmp_path: Path):
    next_day = date(2025, 3, 15)
    store = write_store(tmp_path, privacy={"join_days": True})
    write_day(store, tmp_path / "lake", PEOPLE)
    write_day(store, tmp_path / "lake", [Seen(6, "west"), Seen(7, "west")], next_day)
    found = open_search(store, tmp_path / "lake", days=(DAY, next_day)).find(Query(embedding=looks(6, 9)), count=2)
    assert [(one.name.day, one.person_id) for one in sorted(found, key=lambda one: one.name)] == [
        (DAY, 6),
        (next_day, 6),
    ]


def test_a_day_that_is_processed_again_is_searched_anew(file: Path, tmp_path: Path):
    open_search(file, tmp_path / "lake").find(Query(embedding=looks(1)))
    write_day(file, tmp_path / "lake", [Seen(8, "west"), Seen(9, "south")])
    found = open_search(file, tmp_path / "lake").find(Query(embedding=looks(9, 9)))
    assert who(found) == [9, 8]
    assert len(list(index_folder(str(tmp_path / "lake")).rglob("*.faiss"))) == 1


def test_the_audit_says_who_when_why_and_what_was_shown(search: PersonSearch, tmp_path: Path):
    query = Query(upper="red", age="child")
    found = search.find(query, Filters(cameras=("west",)))
    search.answer(query, found[0].name, same_person=True)
    rows = AuditLog(str(tmp_path / "lake"), "demo").entries().to_pylist()
    assert [row["action"] for row in rows] == ["search", "confirm"]
    assert {row["user"] for row in rows} == {"anna"} and {row["reason"] for row in rows} == {REASON}
    assert rows[0]["shown"] == [str(one.name) for one in found]
    assert "upper red, child; cameras west; 2025-03-14" in rows[0]["query"]
    assert AuditLog(str(tmp_path / "lake"), "demo").problems() == []


@pytest.mark.parametrize("harm", ["changed", "removed", "slipped in"])
def test_an_audit_that_was_tampered_with_shows(tmp_path: Path, harm: str, capfd: pytest.CaptureFixture[str]):
    log = AuditLog(str(tmp_path), "demo")
    for number in range(4):
        log.append(Entry("anna", "search", "purpose", f"reason {number}"))
    files = sorted((tmp_path / "find_audit" / "store=demo").glob("*.parquet"))
    if harm == "changed":
        other = AuditLog(str(tmp_path / "other"), "demo")
        for number in range(4):
            other.append(Entry("ben", "search", "purpose", f"reason {number}"))
        files[1].write_bytes((tmp_path / "other" / "find_audit" / "store=demo" / files[1].name).read_bytes())
    elif harm == "removed":
        files[1].unlink()
    else:
        files[-1].with_name("entry-00000005.parquet").write_bytes(files[0].read_bytes())
    assert log.problems()
    with pytest.raises(SystemExit) as ended:
        cli.main(["find-log", "--store", "demo", "--lake", str(tmp_path)])
    assert ended.value.code == 1
    assert "entry-0000000" in capfd.readouterr().out


def test_the_command_prints_candidates_the_way_and_json(file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    where = ["--store", "demo", "--lake", str(tmp_path / "lake"), "--stores", str(tmp_path), "--reason", REASON]
    asked = ["find", *where, "--age", "child", "--upper", "red", "--confirm", str(named(1))]
    with pytest.raises(SystemExit, match="0"):
        cli.main(asked)
    said = capfd.readouterr().out
    assert str(named(4)) in said and "last seen 10:00:05" in said and "heading east" in said
    with pytest.raises(SystemExit, match="0"):
        cli.main([*asked, "--json"])
    answer = json.loads(capfd.readouterr().out)
    assert [one["sighting"] for one in answer["candidates"]] == [str(named(4))]
    assert answer["last_seen"]["camera"] == "west"
    assert len(answer["last_seen"]["path"]) > 5


def test_odd_embeddings_never_reach_the_list(tmp_path: Path):
    """Zeros and noise: nothing crashes, and who is listed is more alike than not."""
    store = write_store(tmp_path)
    write_day(store, tmp_path / "lake", [Seen(number, "west", number) for number in range(1, 40)])
    found = open_search(store, tmp_path / "lake").find(Query(embedding=np.zeros(256, np.float32)), count=5)
    assert len(found) == 5 and all(np.isfinite(one.odds) for one in found)
