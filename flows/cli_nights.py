"""Commands over many nights: backfill, forget, record."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from flows.cli_options import LakeOption, StoreFile, StoresOption, day_of, err, out

nights = typer.Typer()


@nights.command()
def backfill(
    first: Annotated[str, typer.Option("--from", metavar="YYYY-MM-DD", help="first local day")],
    last: Annotated[str, typer.Option("--to", metavar="YYYY-MM-DD", help="last local day")],
    store: Annotated[list[str] | None, typer.Option("--store", help="store id, may be repeated; else all")] = None,
    lake: LakeOption = None,
    stores: StoresOption = None,
) -> None:
    """Process the days that are not in the lake or have late recordings, on this machine, one after another."""
    from flows.backfill import backfill
    from flows.plan import default_lake, plan_store_day
    from flows.preflight import preflight
    from flows.progress import process_with_progress
    from flows.report import headline
    from flows.stores import find_store, store_files

    begin, end = day_of(first, "--from"), day_of(last, "--to")
    assert begin is not None and end is not None
    if begin > end:
        raise ValueError(f"--from {first} is after --to {last}; swap them")
    place = lake or default_lake()
    files = [find_store(name, stores) for name in store] if store else store_files(stores)

    def process(file: Path, day: date) -> str:
        err.print(f"{file.parent.name} {day}", markup=False)
        return headline(process_with_progress(plan_store_day(preflight(file, day, partial=True), place), err))

    outcomes = backfill(files, place, begin, end, process)
    for outcome in outcomes:
        state = "failed" if outcome.failed else "done"
        out.print(f"{outcome.store} {outcome.day or ''} {state}: {outcome.text}", soft_wrap=True, markup=False)
    if not outcomes:
        out.print("nothing is due: every day is in the lake, with all its recordings")
    if any(outcome.failed for outcome in outcomes):
        raise typer.Exit(1)


@nights.command()
def forget(
    before: Annotated[str, typer.Option("--before", metavar="YYYY-MM-DD", help="days before this one")],
    store: Annotated[list[str] | None, typer.Option("--store", help="store id, may be repeated; else all")] = None,
    lake: LakeOption = None,
) -> None:
    """Delete embeddings, positions and chunks of the days before a date. Counts, visits and footfall stay."""
    from flows.lake import Lake
    from flows.plan import default_lake
    from flows.retention import Retention, forget, stores_with_data

    day = day_of(before, "--before")
    place = Lake(lake or default_lake())
    there = stores_with_data(place)
    unknown = sorted(set(store or ()) - set(there))
    if unknown:
        raise ValueError(f"{place.root} has no store {', '.join(unknown)}; it has {', '.join(there) or 'none'}")
    outcomes = [one for name in store or there for one in forget(place, name, Retention(day, day))]
    for outcome in outcomes:
        out.print(str(outcome), soft_wrap=True, markup=False)
    if not outcomes:
        out.print(f"nothing to forget before {before}")
    if any(outcome.kept_because for outcome in outcomes):
        raise typer.Exit(1)


@nights.command()
def record(
    store: StoreFile,
    segment_s: Annotated[float, typer.Option(help="length of a segment, seconds", min=2)] = 900,
    timeout_s: Annotated[float, typer.Option(help="a stream silent for so long is opened again, seconds", min=1)] = 10,
    health_s: Annotated[float, typer.Option(help="seconds between two health lines of a camera", min=1)] = 30,
) -> None:
    """Record the store's cameras into segment files until it is ended (Ctrl-C, SIGTERM)."""
    import signal
    import threading

    from flows.record import record_store
    from flows.store_reading import load_store

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())

    def tell(line: str) -> None:
        out.print(f"{datetime.now():%Y-%m-%d %H:%M:%S} {line}", soft_wrap=True, markup=False)

    well = record_store(
        load_store(store), store, stop, tell, health_s=health_s, segment_s=segment_s, timeout_s=timeout_s
    )
    if not well:
        raise typer.Exit(1)
