"""Commands about the lake's numbers: export, audit."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from flows.cli_options import LakeOption, StoreFile, day_of, out

numbers = typer.Typer()

FromOption = Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="first local day; else all")]
ToOption = Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="last local day; else all")]

AUDIT_PROTOCOL = (
    "ways in and out of entrances and zones in drawn quarter-hours, against a person who counted the same camera's"
    " video; whole line or zone at any distance, at the store's own sampling rate"
)


@numbers.command()
def export(
    tables: Annotated[list[str], typer.Argument(help="tables of the lake, for example zone_counts footfall")],
    target: Annotated[Path, typer.Option("--out", help="NAME.csv, NAME.xlsx or NAME.parquet")],
    store: Annotated[list[str] | None, typer.Option("--store", help="store id, may be repeated; else all")] = None,
    first: FromOption = None,
    last: ToOption = None,
    timezone: Annotated[str | None, typer.Option(help="IANA zone that times are written in; else UTC")] = None,
    least: Annotated[
        int | None, typer.Option("--least-count", metavar="K", help="withhold counts of fewer than K people, say 5")
    ] = None,
    lake: LakeOption = None,
) -> None:
    """Write tables of the lake to CSV, Excel or Parquet."""
    from flows.export import export
    from flows.plan import default_lake

    days = {"first": day_of(first, "--from"), "last": day_of(last, "--to")}
    rows = export(lake or default_lake(), tables, target, stores=store, timezone=timezone, least=least, **days)
    for name, count in rows.items():
        out.print(f"{name}: {count:,} rows", markup=False)
    out.print(f"written: {target}", markup=False, soft_wrap=True)


@numbers.command()
def audit(
    store: StoreFile,
    lake: LakeOption = None,
    first: FromOption = None,
    last: ToOption = None,
    quarters: Annotated[int, typer.Option(help="quarter-hours to ask for", min=0)] = 4,
    seed: Annotated[int, typer.Option(help="another seed, other quarter-hours")] = 0,
    clips: Annotated[Path | None, typer.Option(help="write the clips to count from into this folder")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Random quarter-hours for a person to count (on the dashboard's page Audit), and the accuracy so far."""
    from flows.audit import accuracy, audited, questions
    from flows.audit_clips import write_clip
    from flows.lake import Lake
    from flows.plan import default_lake
    from flows.store_reading import load_store

    config, source = load_store(store), Lake(lake or default_lake())
    answered = audited(source, config.id)
    done = set(zip(answered["day"], answered["start"].astype("int64"), answered["target"], strict=True))
    every = questions(config, source, first=day_of(first, "--from"), last=day_of(last, "--to"), seed=seed)
    asked = list(islice((q for q in every if (q.day, q.start_us, q.target) not in done), quarters))
    result = asdict(accuracy(answered))
    if json_output:
        ask = [asdict(q) | {"day": q.day.isoformat()} for q in asked]
        print(json.dumps({"protocol": AUDIT_PROTOCOL} | result | {"ask": ask}))
    else:
        _print_audit(result)
        for question in asked:
            zone = config.zone_info
            start, end = (_clock(at, zone) for at in (question.start_us, question.end_us))
            out.print(f"count: {question.day} {start} to {end}, {question.kind} {question.target}, {question.camera}")
        out.print("answer on the dashboard's page Audit", markup=False)
    for number, question in enumerate(asked, start=1) if clips else ():
        assert clips is not None
        file = write_clip(config, store, question, clips / f"{number:02}_{question.day}_{question.target}.mp4")
        out.print(f"written: {file}", markup=False, soft_wrap=True)


def _clock(time_us: int, zone) -> str:
    from datetime import datetime

    return f"{datetime.fromtimestamp(time_us / 1e6, zone):%H:%M:%S}"


def _print_audit(result: dict) -> None:
    if result["accuracy"] is None:
        out.print(f"{result['quarters']} quarter-hours counted by a person, nobody in them: nothing to measure yet")
        return
    interval = "" if result["low"] is None else f" (95 % interval {result['low']:.1%} to {result['high']:.1%})"
    out.print(f"{result['quarters']} quarter-hours, {result['people']} crossings counted by a person")
    out.print(f"protocol: {AUDIT_PROTOCOL}", soft_wrap=True)
    out.print(f"accuracy {result['accuracy']:.1%}{interval}; the lake counts {result['ratio']:.2f} of what people do")
