"""The lake's promises in an object store: against a real S3-protocol server on loopback, and fsspec's memory."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from flows import lake_lock
from flows.lake import DayLocked, Lake, LakeError
from flows.lake_files import ObjectFiles
from flows.schemas import TABLES
from tests.flows.lake_days import DAY, STORE, day_tables, version_of

COMPARED = ("visits", "footfall", "identities", "tracklets")


@pytest.fixture(scope="module")
def s3() -> Iterator[dict]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    options = {
        "key": "test",
        "secret": "test",
        "client_kwargs": {"endpoint_url": f"http://{host}:{port}", "region_name": "us-east-1"},
    }
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket="lake")
    yield options
    server.stop()


@pytest.fixture
def lake(s3: dict, request: pytest.FixtureRequest) -> Lake:
    return Lake(f"s3://lake/{request.node.name.replace('[', '-').rstrip(']')}", s3)


def keys(lake: Lake) -> set[str]:
    assert isinstance(lake.files, ObjectFiles)
    lake.files.filesystem.invalidate_cache()
    base = lake.root.removeprefix("s3://")
    return {key.removeprefix(f"{base}/") for key in lake.files.filesystem.find(base)}


def test_a_day_is_written_read_replaced_and_deleted(lake: Lake) -> None:
    lake.write_day(STORE, DAY, day_tables(1))
    assert version_of(lake.read_day(STORE, DAY, COMPARED)) == {1}
    lake.write_day(STORE, DAY, day_tables(2))
    assert version_of(lake.read_day(STORE, DAY, COMPARED)) == {2}
    assert lake.read("visits", columns=["zone"]).num_rows == 302
    assert keys(lake) == {f"_days/store={STORE}/date={DAY}.json"} | {
        f"{table}/store={STORE}/date={DAY}/part-0.parquet" for table in TABLES
    }
    assert lake.addresses("visits") == [f"{lake.root}/visits/store={STORE}/date={DAY}/part-0.parquet"]
    lake.delete_day(STORE, DAY)
    assert keys(lake) == set()


def test_the_files_are_the_same_bytes_as_in_a_folder(lake: Lake, tmp_path) -> None:
    folder = Lake(str(tmp_path))
    assert folder.write_day(STORE, DAY, day_tables(1)).tables == lake.write_day(STORE, DAY, day_tables(1)).tables
    path = f"visits/store={STORE}/date={DAY}/part-0.parquet"
    assert lake.files.get(path) == folder.files.get(path)


def test_readers_see_one_version_while_it_is_replaced(lake: Lake) -> None:
    lake.write_day(STORE, DAY, day_tables(1))
    seen: set[int] = set()
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        own = Lake(lake.root, lake.files.filesystem.storage_options)
        try:
            while not done.is_set():
                versions = version_of(own.read_day(STORE, DAY, COMPARED))
                assert len(versions) == 1, f"a mix of {versions}"
                seen.update(versions)
        except BaseException as error:
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for version in range(2, 4):
        lake.write_day(STORE, DAY, day_tables(version))
    done.set()
    reader.join()
    assert failures == []
    assert len(seen) >= 2


@pytest.mark.parametrize("stop_at", [1, 4])
def test_a_crash_between_the_commit_and_the_last_copy(lake: Lake, monkeypatch, stop_at: int) -> None:
    lake.write_day(STORE, DAY, day_tables(1))
    real = ObjectFiles.publish
    calls: list[str] = []

    def crashing(self, source: str, target: str) -> None:
        calls.append(target)
        if len(calls) >= stop_at:
            raise KeyboardInterrupt
        real(self, source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ObjectFiles, "publish", crashing)
        lake.write_day(STORE, DAY, day_tables(2))
    assert version_of(lake.read_day(STORE, DAY, COMPARED)) == {2}
    assert lake.recover() == lake.days()
    assert version_of(lake.read_day(STORE, DAY, COMPARED)) == {2}
    assert not any(key.startswith("_staging") for key in keys(lake))


@pytest.mark.case("prefect 9895, 18839, infrahub 9856")
def test_two_writers_never_write_one_day(lake: Lake) -> None:
    with lake.writer(STORE, DAY):
        with pytest.raises(DayLocked, match=rf"is being written by process {os.getpid()} on "):
            lake.write_day(STORE, DAY, day_tables(1))
    lake.write_day(STORE, DAY, day_tables(1))


@pytest.mark.case("prefect 9895, 18839, infrahub 9856")
def test_a_lease_that_ran_out_is_taken_over_and_its_holder_writes_nothing(lake: Lake, monkeypatch) -> None:
    """A run that was held for dead and still works."""
    monkeypatch.setattr(lake_lock, "LEASE_S", 0.05)
    with pytest.raises(DayLocked):
        with lake.writer(STORE, DAY) as sleeper:
            time.sleep(0.1)
            with lake.writer(STORE, DAY) as other:
                with pytest.raises(DayLocked):
                    sleeper.write(day_tables(1))
                other.write(day_tables(2))
            sleeper.write(day_tables(3))
    assert version_of(lake.read_day(STORE, DAY, COMPARED)) == {2}


def test_any_fsspec_filesystem_will_do() -> None:
    lake = Lake("memory://lake-of-the-test")
    lake.write_day(STORE, DAY, day_tables(1))
    lake.write_day(STORE, DAY, day_tables(2))
    assert version_of(lake.read_day(STORE, DAY, COMPARED)) == {2}
    with pytest.raises(LakeError, match="process the day first"):
        lake.read_day(STORE, "2025-03-15")
