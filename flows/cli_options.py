"""What the commands share: options, consoles, days."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

# What is printed are names and places in files, which rich would make pictures of: store.yaml:100: ends in an emoji.
out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)

StoreFile = Annotated[Path, typer.Argument(metavar="STORE.yaml", help="the store's configuration")]
LakeOption = Annotated[str | None, typer.Option("--lake", help="lake folder or URL; else AISLEFLOW_LAKE, else ./lake")]
DateOption = Annotated[str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="local day; else yesterday")]
StoresOption = Annotated[
    str | None, typer.Option("--stores", help="folder with ID/store.yaml; else AISLEFLOW_STORES, else the demo")
]


def day_of(text: str | None, option: str = "--date") -> date | None:
    """A day as the command line has it. Raises ValueError that says how to write one."""
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError as error:
        raise ValueError(f"{option} {text}: write a day as 2025-03-14") from error
