"""The command line: `aisleflow`. Each command is a thin wrapper around a plain function.

Exit status: 0 done, 1 failed, 2 the input is wrong (every mistake is told, one line each, and nothing was written).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from flows.cli_find import find_commands
from flows.cli_models import detector, reid
from flows.cli_nights import nights
from flows.cli_numbers import numbers
from flows.cli_options import DateOption, LakeOption, StoreFile, day_of, err, out

for _name, _value in {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}.items():
    os.environ.setdefault(_name, _value)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(reid, name="reid")
app.add_typer(detector, name="detector")
app.add_typer(nights)
app.add_typer(numbers)
app.add_typer(find_commands)


@app.command()
def run(
    store: StoreFile,
    date: DateOption = None,
    lake: LakeOption = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="go on where a camera has no recording; its time is missing in coverage")
    ] = False,
) -> None:
    """Process one store-day: recorded video in, the day in the lake out."""
    from flows.plan import default_lake, new_lake, plan_store_day
    from flows.preflight import preflight
    from flows.progress import process_with_progress
    from flows.report import print_summary

    ready, place = preflight(store, day_of(date), partial=partial), lake or default_lake()
    for warning in filter(None, (*ready.warnings, new_lake(place))):
        err.print(f"warning: {warning}", soft_wrap=True, markup=False)
    print_summary(process_with_progress(plan_store_day(ready, place), err), out)


@app.command()
def check(store: StoreFile, date: DateOption = None) -> None:
    """Preflight: configuration, calibration, cameras and zones, recordings of a day, models."""
    from flows.preflight import preflight
    from flows.report import print_check

    print_check(preflight(store, day_of(date), strict=True), out)


@app.command()
def score(
    store: Annotated[str, typer.Option("--store", help="store id")],
    truth: Annotated[Path, typer.Option("--truth", help="folder of truth tables")],
    lake: LakeOption = None,
    date: DateOption = None,
    json_output: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Accuracy of a processed day against its truth."""
    from flows.plan import default_lake
    from flows.report import print_score
    from flows.score import score_lake

    print_score(score_lake(lake or default_lake(), store, truth, day_of(date)), out, as_json=json_output)


@app.command()
def demo(
    lake: Annotated[str, typer.Option("--lake", help="lake of the demo")] = "demo-data/lake",
    month: Annotated[bool, typer.Option(help="also simulate a month of three stores to look at")] = True,
) -> None:
    """The bundled store-day beside its truth, a simulated month, and how to look at both."""
    from flows.demo_run import run_demo

    run_demo(lake, month, out, err)


@app.command("demo-lake")
def demo_lake(
    folder: Annotated[Path, typer.Argument(help="where the simulated stores and their lake go")] = Path(
        "demo-data/month"
    ),
    seed: Annotated[int, typer.Option(help="another seed, another month")] = 1,
) -> None:
    """Simulate a month of three stores (no video), marked `simulated`."""
    from flows.demo_run import print_how_to_look, simulate_month

    print_how_to_look(simulate_month(folder, seed, err), out)


@contextmanager
def _told() -> Iterator[None]:
    """Turn what users can mend (this project's ValueErrors, files not found) into clear lines and exit status 2.

    What stopped a job under way (a full disk, a share that went away, another writer, a model that changed) is one
    clear line and status 1.
    """
    from flows.errors import JobStopped
    from flows.store_reading import StoreConfigError

    try:
        yield
    except StoreConfigError as error:
        for problem in error.problems:
            err.print(str(problem), soft_wrap=True, markup=False)
        raise SystemExit(2) from None
    except (ValueError, FileNotFoundError) as error:
        err.print(str(error), soft_wrap=True, markup=False)
        raise SystemExit(2) from None
    except (JobStopped, OSError) as error:
        err.print(str(error), soft_wrap=True, markup=False)
        raise SystemExit(1) from None


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the console command."""
    command: Callable[..., None] = app
    with _told():
        command(args=arguments, prog_name="aisleflow")


if __name__ == "__main__":
    main(sys.argv[1:])
