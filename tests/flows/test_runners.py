"""The same rows wherever the work is done: recordings and lake in an object store, chunks on processes and on Dask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import fsspec
import numpy as np
import pandas as pd
import pytest
import s3fs
from moto.server import ThreadedMotoServer

from detection import container
from detection.isolated import close_probers
from detection.video import Recording, VideoError, VideoReader, probe
from flows.due import due_days
from flows.lake import Lake
from flows.plan import plan_store_day
from flows.preflight import preflight
from flows.schemas import TABLES
from flows.task_runners import ChunkRunner, RunnerError
from tests.flows.clips import write_clip
from tests.flows.painted import DAY, PaintedStore, walks
from tests.flows.prefect_server import Server, end, free_port
from tests.flows.tiny import write_tiny_store

ACROSS = walks(1, (0, 20, 200), (8, 300, 200))


def same_rows(one: str, other: str, store: str) -> None:
    """Both lakes hold the same rows of a store, but for the record of the run itself."""
    for table in TABLES:
        if table != "runs":
            rows = [Lake(lake).read(table, [store]).to_pandas() for lake in (one, other)]
            pd.testing.assert_frame_equal(*rows, obj=table)
    assert Lake(one).read("positions", [store]).num_rows > 0


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of an empty bucket on a server that speaks S3; found through the AWS variables as any program does."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="shop")
    forget_surroundings()
    yield "s3://shop"
    forget_surroundings()
    server.stop()


def forget_surroundings() -> None:
    """What was started or opened with other AWS variables."""
    s3fs.S3FileSystem.clear_instance_cache()
    close_probers()


def test_recordings_and_lake_in_an_object_store(shop: PaintedStore, bucket: str):
    clips = [shop.clip([ACROSS], 4.0), shop.clip([ACROSS], 4.0, start="10-00-04", first_s=4.0)]
    assert shop.run() == 0

    shop.data["recordings"]["path"] = f"{bucket}/videos/{{camera}}/%Y-%m-%d_%H-%M-%S.mp4"
    store = fsspec.filesystem("s3")
    store.put(str(clips[0]), f"{bucket}/videos/cam/{clips[0].name}")
    lake = f"{bucket}/lake"
    assert shop.command("run", str(shop.file), "--lake", lake) == 0
    store.put(str(clips[1]), f"{bucket}/videos/cam/{clips[1].name}")
    (late,) = due_days(shop.file, Lake(lake))
    assert late.why == f"late: {clips[1].name}"
    assert shop.command("run", str(shop.file), "--lake", lake) == 0
    assert due_days(shop.file, Lake(lake)) == []
    same_rows(shop.lake, lake, "shop")
    chunks = store.find(f"{bucket}/lake/_chunks/shop/{DAY}")
    assert len(chunks) == 2, "of the whole, the first was found again"


def test_a_part_of_a_recording_in_an_object_store_is_fetched_by_range(bucket: str, tmp_path: Path, monkeypatch):
    """A long recording is not copied to read a minute of it."""
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (120, 160, 3), "uint8") for _ in range(10)]
    clip = write_clip(tmp_path / "long.mp4", seconds=60, fps=5, size=(160, 120), picture=lambda n: noise[n % 10])
    store = fsspec.filesystem("s3")
    store.put(str(clip), f"{bucket}/long.mp4")
    monkeypatch.setattr(container, "REMOTE_BLOCK", 1 << 16)
    fetched: list[int] = []
    real = s3fs.core.S3File._fetch_range

    def counting(self, start, end):
        fetched.append(end - start)
        return real(self, start, end)

    monkeypatch.setattr(s3fs.core.S3File, "_fetch_range", counting)
    part = {"from_us": 55_000_000, "to_us": 57_000_000}
    remote = list(VideoReader(Recording(f"{bucket}/long.mp4", "cam", 0), 5, **part))
    local = list(VideoReader(Recording(str(clip), "cam", 0), 5, **part))
    assert [frame.time_us for frame in remote] == [frame.time_us for frame in local]
    assert len(remote) == 10
    assert all((a.image == b.image).all() for a, b in zip(remote, local, strict=True))
    assert sum(fetched) < clip.stat().st_size / 2


def test_what_is_not_there_is_told(bucket: str):
    with pytest.raises(VideoError, match=r"none\.mp4: no such file"):
        probe(f"{bucket}/none.mp4")


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({"kind": "dask"}, "needs dask_address"),
        ({"kind": "threads", "address": "tcp://127.0.0.1:1"}, "not for threads"),
        ({"at_once": 0}, "give 1 or more"),
    ],
)
def test_a_choice_that_makes_no_sense_is_told(choice: dict, told: str):
    with pytest.raises(RunnerError, match=told):
        ChunkRunner(**choice)


@pytest.mark.server
@pytest.mark.xdist_group("server")
class TestOnPrefect:
    @pytest.fixture
    def tiny(self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
        """Folder of a tiny store, and a lake in which it was processed in this process alone."""
        from prefect.settings import PREFECT_API_URL, temporary_settings

        from flows.chunks import process_chunk
        from flows.store_day import finish_store_day

        file = write_tiny_store(tmp_path)
        lake = str(tmp_path / "here")
        plan = plan_store_day(preflight(file, pd.Timestamp(DAY).date()), lake)
        choices = (plan.config.detector, plan.config.reid)
        finish_store_day(plan, [process_chunk(chunk, plan.work, choices) for chunk in plan.chunks])
        monkeypatch.setenv("PREFECT_API_URL", server.url)
        with temporary_settings({PREFECT_API_URL: server.url}):
            yield str(tmp_path), lake

    def test_processes(self, tiny: tuple[str, str], tmp_path: Path):
        from flows.nightly import store_day

        stores, lake = tiny
        other = str(tmp_path / "processes")
        store_day("tiny", DAY, other, stores, task_runner="processes", chunks_at_once=2)
        same_rows(lake, other, "tiny")

    def test_a_dask_cluster_with_two_workers_of_which_one_offers_the_resource(
        self, server: Server, tiny: tuple[str, str], tmp_path: Path
    ):
        from flows.nightly import store_day

        stores, lake = tiny
        port = free_port()
        address = f"tcp://127.0.0.1:{port}"
        here = ["--host", "127.0.0.1", "--no-dashboard"]
        scheduler = server.run(["dask", "scheduler", *here, "--port", str(port)], "dask.log")
        workers = []
        try:
            for number, more in enumerate(([], ["--resources", "GPU=1"])):
                command = ["dask", "worker", address, *here, "--nthreads", "1"]
                local = ["--no-nanny", "--local-directory", str(tmp_path / f"dask-{number}"), "--name", f"w{number}"]
                workers.append(server.run([*command, *local, *more], "dask.log"))
            wait_for_workers(address, 2)

            both = str(tmp_path / "dask")
            store_day("tiny", DAY, both, stores, task_runner="dask", dask_address=address)
            same_rows(lake, both, "tiny")
            before = executed(address)
            assert before.keys() == {"w0", "w1"} and all(before.values()), "both worked"

            gpu = str(tmp_path / "gpu")
            resources = {"task_runner": "dask", "dask_address": address, "chunk_resources": {"GPU": 1}}
            store_day("tiny", DAY, gpu, stores, **resources)
            same_rows(lake, gpu, "tiny")
            after = executed(address)
            assert after["w0"] == before["w0"] and after["w1"] >= before["w1"] + 4

            with pytest.raises(RunnerError, match=r"no Dask worker at .* offers NPU=1; start one: dask worker"):
                store_day("tiny", DAY, gpu, stores, **(resources | {"chunk_resources": {"NPU": 1}}))
        finally:
            for process in (*workers, scheduler):
                end(process)
        with pytest.raises(RunnerError, match="no Dask scheduler answers"):
            ChunkRunner("dask", address=address).start()


def wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    with Client(address, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=120)


def executed(address: str) -> dict[str, int]:
    """Tasks that each worker has executed so far, by its name."""
    from distributed import Client

    def count(dask_worker: Any) -> tuple[str, int]:  # defined here, so that it travels: workers have no tests
        return dask_worker.name, dask_worker.state.executed_count

    with Client(address, timeout=60, set_as_default=False) as client:
        return dict(client.run(count).values())
