"""Where a store-day's chunks run: threads or processes of this machine, or a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

from prefect.settings import PREFECT_API_URL
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

Kind = Literal["threads", "processes", "dask"]
CONNECT_S = 20


class RunnerError(ValueError):
    """Chunks can't run where they were asked to; the message says what to start or set."""


@dataclass(frozen=True)
class ChunkRunner:
    """A choice of where chunks run.

    Attributes:
        kind: threads or processes of the machine of the flow run, or dask.
        at_once: chunks side by side on this machine. The detector uses all cores for one already; more only pay where
            there are cores to spare. A Dask cluster takes as many as its workers have threads.
        address: the Dask scheduler's, tcp://HOST:8786.
        resources: what a Dask worker must offer to get a chunk (`dask worker --resources GPU=1`), with how much of it a
            chunk takes, for example {"GPU": 1}.
    """

    kind: Kind = "threads"
    at_once: int = 1
    address: str | None = None
    resources: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind == "dask" and not self.address:
            raise RunnerError("task_runner dask needs dask_address, its scheduler's: tcp://HOST:8786")
        if self.kind != "dask" and (self.address or self.resources):
            raise RunnerError(f"dask_address and chunk_resources are for task_runner dask, not for {self.kind}")
        if self.at_once < 1:
            raise RunnerError(f"chunks_at_once is {self.at_once}: give 1 or more")

    def start(self) -> TaskRunner[Any]:
        """The Prefect task runner. Raises RunnerError where the cluster can't do it."""
        if self.kind == "threads":
            return ThreadPoolTaskRunner(max_workers=self.at_once)
        if self.kind == "processes":
            return ProcessPoolTaskRunner(max_workers=self.at_once)
        from prefect_dask import DaskTaskRunner

        self._check_cluster()
        return DaskTaskRunner(address=self.address, client_kwargs={"timeout": CONNECT_S})

    @contextmanager
    def submitting(self) -> Iterator[None]:
        """Submit chunks within it: they ask for the resources."""
        if self.resources:
            import dask

            with dask.annotate(resources=dict(self.resources)):
                yield
        else:
            with nullcontext():
                yield

    def _check_cluster(self) -> None:
        """A cluster that is not there, or that lacks a resource, would only be waited for."""
        from distributed import Client

        if not PREFECT_API_URL.value():
            raise RunnerError("chunks on Dask report to a Prefect server: set PREFECT_API_URL to one they can reach")
        try:
            with Client(self.address, timeout=CONNECT_S, set_as_default=False) as client:
                workers = client.scheduler_info(n_workers=-1)["workers"].values()
        except OSError as error:
            raise RunnerError(
                f"no Dask scheduler answers at {self.address} ({error}); start one: dask scheduler"
            ) from error
        for name, amount in self.resources.items():
            if not any(worker["resources"].get(name, 0) >= amount for worker in workers):
                raise RunnerError(
                    f"no Dask worker at {self.address} offers {name}={amount:g}; "
                    f"start one: dask worker {self.address} --resources {name}={amount:g}"
                )
        if not workers:
            raise RunnerError(
                f"the Dask scheduler at {self.address} has no worker; start one: dask worker {self.address}"
            )
