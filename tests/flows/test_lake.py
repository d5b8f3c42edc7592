"""The lake's promises, each with a test that fails without it."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from flows import lake_writer
from flows.lake import DayLocked, Lake, LakeError
from flows.schemas import SCHEMA_VERSION, TABLES, SchemaError, empty
from tests.conftest import ROOT
from tests.flows.lake_days import DAY, STORE, day_tables, tracklets, version_of

COMPARED = ("visits", "footfall", "identities", "tracklets")


def contents(root: Path, hidden: bool = False) -> dict[str, bytes]:
    """The files of a lake by path; without `hidden` those of the tables alone."""
    files = [path for path in Path(root).rglob("*") if path.is_file()]
    found = {str(path.relative_to(root)): path.read_bytes() for path in files}
    return found if hidden else {name: data for name, data in found.items() if not name.startswith("_")}


class Other:
    """Another process that works on a lake."""

    def __init__(self, server: subprocess.Popen[str], what: str, lake: Lake, first: int = 0) -> None:
        assert server.stdin is not None and server.stdout is not None
        self.log = Path(f"{lake.root}-{time.monotonic_ns()}.log")
        server.stdin.write(f"{what}\t{lake.root}\t{first}\t{self.log}\n")
        server.stdin.flush()
        self.pid = int(server.stdout.readline())
        until = time.monotonic() + 60
        while not self.told() and time.monotonic() < until:
            time.sleep(0.005)

    def told(self) -> list[int]:
        return [int(line) for line in self.log.read_text().split("\n")[:-1]] if self.log.exists() else []

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        while Path(f"/proc/{self.pid}").exists():
            time.sleep(0.002)


@pytest.fixture(scope="module")
def server():
    command = [sys.executable, "-m", "tests.flows.lake_days"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    yield process
    process.stdin.close()
    process.wait()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def test_a_day_comes_back_as_it_was_written(lake: Lake) -> None:
    tables = day_tables(3)
    lake.write_day(STORE, DAY, tables)
    found = lake.read("visits")
    assert found.column_names[:2] == ["store", "date"]
    assert found["date"].to_pylist()[0] == date(2025, 3, 14)
    assert found["person_id"].to_pylist() == tables["visits"]["person_id"].tolist()
    assert lake.days() == [(STORE, date(2025, 3, 14))]
    assert lake.read("visits", columns=["zone"]).column_names == ["store", "date", "zone"]
    assert lake.read("visits", stores=["other"]).num_rows == 0
    assert lake.read("visits", dates=["2025-03-15"]).schema == found.schema


def test_the_same_rows_make_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    one, other = Lake(str(tmp_path / "one")), Lake(str(tmp_path / "other"))
    first = one.write_day(STORE, DAY, day_tables(3))
    shuffled = {
        name: table.sample(frac=1, random_state=1) if isinstance(table, pd.DataFrame) else table
        for name, table in day_tables(3).items()
    }
    assert other.write_day(STORE, DAY, shuffled).commit == first.commit
    assert contents(tmp_path / "one") == contents(tmp_path / "other")
    assert len(contents(tmp_path / "one")) == len(TABLES)
    assert one.write_day(STORE, DAY, day_tables(4)).commit != first.commit


def test_one_changed_value_is_another_content(lake: Lake) -> None:
    before = lake.write_day(STORE, DAY, day_tables(3)).tables["visits"]
    changed = day_tables(3)
    changed["visits"].loc[0, "dwell_s"] = 3.5
    assert lake.write_day(STORE, DAY, changed).tables["visits"].content != before.content


def test_a_day_is_replaced_whole_and_leaves_nothing_behind(lake: Lake) -> None:
    lake.write_day(STORE, DAY, day_tables(3))
    fewer = {name: table for name, table in day_tables(4).items() if name != "footfall"}
    manifest = lake.write_day(STORE, DAY, fewer, absent={"footfall": "the store has no entrances"})
    assert version_of(lake.read_day(STORE, DAY, columns=None) | {"footfall": _gate(4)}) == {4}
    assert "footfall" not in lake.read_day(STORE, DAY)
    assert manifest.absent == {"footfall": "the store has no entrances"}
    assert lake.manifest(STORE, DAY) == manifest
    names = set(contents(Path(lake.root), hidden=True))
    assert len(names) == len(TABLES) - 1 + 1 + 1  # tables, manifest, lock
    assert not any("footfall" in name or "_staging" in name for name in names)


def _gate(version: int):
    from flows.schemas import conform

    return conform("footfall", day_tables(version)["footfall"])


def test_readers_never_see_a_mix_or_half_a_day(lake: Lake, server) -> None:
    """A writer in another process, readers here: through Lake all tables agree; by a glob each table is whole."""
    lake.write_day(STORE, DAY, day_tables(1))
    process = Other(server, "write", lake, 2)
    seen, by_glob, until = set(), set(), time.monotonic() + 4
    try:
        while time.monotonic() < until:
            versions = version_of(lake.read_day(STORE, DAY, COMPARED))
            assert len(versions) == 1, f"a mix of {versions}"
            seen |= versions
            sql = "SELECT count(*), min(dwell_s), max(dwell_s) FROM read_parquet(?)"
            rows, low, high = duckdb.execute(sql, [lake.glob("visits")]).fetchone()
            assert low == high == rows - 300
            by_glob.add(rows)
        assert len(seen) > 3
        assert len(by_glob) > 3
    finally:
        process.kill()


def test_kill_9_at_any_moment_leaves_the_old_day_or_the_new(lake: Lake, server) -> None:
    chance = random.Random(4)
    version = 1
    for _ in range(10):
        process = Other(server, "write", lake, version)
        time.sleep(chance.random() * 0.3)
        process.kill()
        told = process.told()
        found = version_of(lake.read_day(STORE, DAY, COMPARED))
        assert found in ({told[-1]}, {told[-1] + 1}), f"told {told[-1]}, found {found}"
        rows = duckdb.execute("SELECT count(*) FROM read_parquet(?)", [lake.glob("visits")]).fetchone()[0]
        assert rows - 300 in (told[-1], told[-1] + 1)
        version = told[-1] + 1
    lake.write_day(STORE, DAY, day_tables(7))
    assert contents(Path(lake.root)) == _undisturbed(Path(lake.root).parent / "undisturbed")
    assert not lake.files.names("_staging/store=demo")


def _undisturbed(root: Path) -> dict[str, bytes]:
    Lake(str(root)).write_day(STORE, DAY, day_tables(7))
    return contents(root)


STEPS = ("create", "put", "publish", "remove", "sync")


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_every_single_step(lake: Lake, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """The operations on files, stopped one by one as a crash would: readers see one version; the next write mends."""

    class Crash(BaseException):
        pass

    monkeypatch.setattr(os, "fsync", lambda _: None)  # a crash of the process, not of the machine
    real = getattr(type(lake.files), step)
    clean = {version: _written(lake, version) for version in (1, 2)}
    for stop_at in range(1, 8):
        lake.write_day(STORE, DAY, day_tables(1))
        calls = []

        def crashing(self, *args, real=real, stop_at=stop_at, calls=calls):
            calls.append(args)
            if len(calls) >= stop_at:  # from now on nothing is done any more, as after a kill
                raise Crash
            return real(self, *args)

        with monkeypatch.context() as patch:
            patch.setattr(type(lake.files), step, crashing)
            if step != "remove":
                patch.setattr(type(lake.files), "remove", lambda *_: None)
            try:
                lake.write_day(STORE, DAY, day_tables(2))
            except Crash:
                pass
        assert len(version_of(lake.read_day(STORE, DAY, COMPARED))) == 1
        lake.recover()
        assert contents(Path(lake.root)) == clean[version_of(lake.read_day(STORE, DAY, COMPARED)).pop()]
        assert not lake.files.names("_staging/store=demo")


def _written(lake: Lake, version: int) -> dict[str, bytes]:
    other = Lake(lake.root + "-clean")
    other.write_day(STORE, DAY, day_tables(version))
    return contents(Path(other.root))


def test_two_writers_never_write_one_day(lake: Lake, server) -> None:
    process = Other(server, "hold", lake)
    with pytest.raises(DayLocked, match=rf"demo 2025-03-14 is being written by process {process.pid} on .* run again"):
        lake.write_day(STORE, DAY, day_tables(1))
    lake.write_day(STORE, "2025-03-15", day_tables(1))  # another day is free
    process.kill()
    lake.write_day(STORE, DAY, day_tables(1))  # the lock ended with its holder, at once


def test_two_threads_never_write_one_day(lake: Lake) -> None:
    with lake.writer(STORE, DAY) as writer:
        with pytest.raises(DayLocked):
            lake.write_day(STORE, DAY, day_tables(1))
        writer.write(day_tables(2))
    assert version_of(lake.read_day(STORE, DAY)) == {2}


def test_a_forked_child_does_not_keep_the_lock(lake: Lake) -> None:
    with lake.writer(STORE, DAY):
        child = os.fork()
        if child == 0:
            time.sleep(20)
            os._exit(0)
    lake.write_day(STORE, DAY, day_tables(1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_full_disk_leaves_the_old_day(lake: Lake) -> None:
    """A limit on the size of files stands for a disk that fills up in the middle of a table."""
    lake.write_day(STORE, DAY, day_tables(1))
    before = contents(Path(lake.root))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, hard))
        with pytest.raises(LakeError, match=r"no space left.*The day in the lake is as it was; free some space"):
            lake.write_day(STORE, DAY, day_tables(2, people=20_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    assert contents(Path(lake.root)) == before
    assert not lake.files.names("_staging/store=demo")


def test_a_table_that_does_not_fit_changes_nothing(lake: Lake) -> None:
    lake.write_day(STORE, DAY, day_tables(1))
    before = contents(Path(lake.root), hidden=True)
    wrong = day_tables(2)
    wrong["visits"]["role"] = "dog"
    with pytest.raises(SchemaError, match=r"visits.role: \['dog'\] is none of shopper, staff"):
        lake.write_day(STORE, DAY, wrong)
    with pytest.raises(SchemaError, match="there is no table 'visit'"):
        lake.write_day(STORE, DAY, {"visit": empty("visits")})
    assert contents(Path(lake.root), hidden=True).keys() == before.keys()
    assert version_of(lake.read_day(STORE, DAY)) == {1}


@pytest.mark.parametrize("store", ["", "..", "../x", "a/b", ".hidden", "a b", "x" * 65, "a\n", "store=1", None])
def test_no_path_gets_out_of_the_lake_by_store(lake: Lake, store: str) -> None:
    with pytest.raises(LakeError, match="no store id"):
        lake.write_day(store, DAY, {})


@pytest.mark.parametrize("day", ["", "..", "2025-3-14", "2025-02-30", "2025-03-14/..", "20250314", None])
def test_no_path_gets_out_of_the_lake_by_date(lake: Lake, day: str) -> None:
    with pytest.raises(LakeError, match="write YYYY-MM-DD"):
        lake.write_day(STORE, day, {})
    with pytest.raises(LakeError):
        lake.read("visits", dates=[day])


def test_replace_and_remove_some_tables(lake: Lake) -> None:
    lake.write_day(STORE, DAY, day_tables(1))
    untouched = Path(lake.addresses("visits")[0]).stat().st_ino
    manifest = lake.replace_tables(STORE, DAY, {"tracklets": None, "footfall": _gate(2)}, reason="retention: 7 days")
    assert manifest.absent == {"tracklets": "retention: 7 days"}
    assert not any("tracklets" in name for name in contents(Path(lake.root), hidden=True))
    assert Path(lake.addresses("visits")[0]).stat().st_ino == untouched
    assert lake.read("footfall").num_rows == 302
    lake.delete_day(STORE, DAY)
    assert lake.days() == []
    assert contents(Path(lake.root)) == {}
    with pytest.raises(LakeError, match="process the day first"):
        lake.read_day(STORE, DAY)


def test_a_deletion_that_was_cut_off_is_finished(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.write_day(STORE, DAY, day_tables(1))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(lake_writer.DayWriter, "_remove_tables", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        lake.delete_day(STORE, DAY)
    assert lake.days() == []
    lake.recover()
    assert contents(Path(lake.root)) == {}


def test_a_damaged_file_is_told(lake: Lake) -> None:
    lake.write_day(STORE, DAY, day_tables(1))
    path = Path(lake.addresses("visits")[0])
    path.write_bytes(path.read_bytes()[: len(path.read_bytes()) // 2])
    with pytest.raises(LakeError, match=r"damaged.*process the day again"):
        lake.read_day(STORE, DAY, ["visits"])
    path.unlink()
    with pytest.raises(LakeError, match=r"missing.*process the day again"):
        lake.read("visits")


@pytest.mark.case("sibling: the weights changed in mid-month")
def test_embeddings_of_two_models_are_not_joined(lake: Lake) -> None:
    lake.write_day(STORE, DAY, day_tables(1))
    lake.write_day(
        STORE, "2025-03-15", day_tables(1) | {"tracklets": tracklets(day_tables(1)["visits"].person_id, 1, 4)}
    )
    with pytest.raises(SchemaError, match="embeddings of different models"):
        lake.read("tracklets")
    assert lake.read("tracklets", columns=["camera", "quality"]).num_rows == 602
    vectors = lake.read("tracklets", dates=["2025-03-15"])["embedding"]
    assert vectors.type.list_size == 4
    assert vectors.null_count == 101


@pytest.mark.case("arrow 8741, dask 5759, pandas 55400")
def test_days_without_visitors_have_the_same_types_pandas_and_duckdb(lake: Lake) -> None:
    nothing = {name: empty(name) for name in TABLES}
    lake.write_day(STORE, DAY, nothing)
    lake.write_day(STORE, "2025-03-15", day_tables(1))
    for table in TABLES:
        empty_day, full_day = lake.addresses(table)
        assert pd.read_parquet(empty_day).dtypes.equals(pd.read_parquet(full_day).dtypes)
        if table != "tracklets":  # its vectors are as long as the model's
            assert pq.read_schema(empty_day).remove_metadata() == pq.read_schema(full_day).remove_metadata()
        described = [
            [row[:2] for row in duckdb.execute("DESCRIBE SELECT * FROM read_parquet(?)", [path]).fetchall()]
            for path in (empty_day, full_day)
        ]
        other = {name for (name, _) in set(described[0]) ^ set(described[1])}
        assert other <= {"embedding"}
    whole = pd.read_parquet(f"{lake.root}/visits")
    assert set(whole.columns) == {*empty("visits").column_names, "store", "date"}
    assert len(whole) == 301
    sql = "SELECT store, date, count(*) FROM read_parquet(?, hive_partitioning=true) GROUP BY ALL"
    assert duckdb.execute(sql, [lake.glob("visits")]).fetchall() == [(STORE, date(2025, 3, 15), 301)]


def test_units_travel_with_the_files(lake: Lake) -> None:
    lake.write_day(STORE, DAY, day_tables(1))
    written = pq.read_schema(lake.addresses("zone_counts")[0])
    assert written.field("density_mean").metadata[b"unit"] == b"people/m2"
    assert written.field("dwell_s").metadata[b"unit"] == b"person-seconds"
    assert written.metadata[b"aisleflow.schema_version"] == str(SCHEMA_VERSION).encode()


def test_many_readers_while_it_is_written(lake: Lake) -> None:
    lake.write_day(STORE, DAY, day_tables(1))
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                assert len(version_of(lake.read_day(STORE, DAY, COMPARED))) == 1
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for version in range(2, 12):
        lake.write_day(STORE, DAY, day_tables(version))
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []


def test_the_state_of_a_folder_tells_every_change_of_its_files(lake: Lake) -> None:
    files, seen = lake.files, set()
    for change in (
        lambda: files.put("_days/a", b"1"),
        lambda: files.put("_days/a", b"2"),
        lambda: files.remove("_days/a"),
    ):
        seen.add(files.state("_days"))
        change()  # several within one tick of the disk's clock
    seen.add(files.state("_days"))
    assert len(seen) == 4
    os.utime(Path(lake.root) / "_days", (1, 1))
    assert files.state("_days") == files.state("_days") not in seen
    assert files.state("nowhere") == "none"
