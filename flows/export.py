"""Export: rows of the lake, or of any table that is shown, as CSV, Excel or Parquet."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from zoneinfo import available_timezones

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from flows.lake import Lake
from flows.schemas import TABLES
from flows.suppression import check_suppression, suppress_small_counts

FORMATS = {"csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
FORMATS["parquet"] = "application/vnd.apache.parquet"
"""File ending -> media type."""

EXCEL_ROWS = 1_048_575
SHEET_NAME_LENGTH = 31
NOT_FLAT = ("tracklets", "runs", "camera_views")
"""Tables that hold lists and pictures: Parquet alone keeps them."""


class ExportError(ValueError):
    """What was asked can't be exported; the message says why, and what to do."""


def export(
    lake: str,
    tables: Sequence[str],
    target: str | Path,
    *,
    stores: Sequence[str] | None = None,
    first: date | None = None,
    last: date | None = None,
    timezone: str | None = None,
    least: int | None = None,
) -> dict[str, int]:
    """Write tables of the lake to one file, whose ending says the format.

    CSV and Parquet hold one table; Excel one sheet a table. Rows carry `store` and `date` in front. An existing file is
    replaced as a whole.

    Args:
        lake: folder or URL.
        tables: names of the lake's tables.
        target: NAME.csv, NAME.xlsx or NAME.parquet.
        stores: None: all.
        first, last: local days, both included; None: from the first, to the last there is.
        timezone: IANA name that times are written in; None: UTC. Parquet keeps UTC, with its zone.
        least: withhold counts of fewer people (flows.suppression); None: none are.

    Returns:
        Rows written by table.

    Raises:
        ExportError: unknown table, format or time zone, nothing there to export, or more rows than a sheet holds.
        ValueError: `least` with a table whose rows are single people.
    """
    if least is not None:
        check_suppression(tables, least)
    path = Path(target)
    ending = path.suffix.lstrip(".").lower()
    _check(tables, ending, timezone)
    source = Lake(lake)
    days = [d for d in source.days(stores) if (first is None or first <= d.date) and (last is None or d.date <= last)]
    if not days:
        raise ExportError(
            f"{lake} has no day of {', '.join(stores or ['any store'])} in that span; `aisleflow run` one"
        )
    wanted = sorted({day.date for day in days})
    found = {name: source.read(name, stores, wanted) for name in tables}
    if least is not None:
        found = {
            name: pa.Table.from_pandas(suppress_small_counts(name, table.to_pandas(), least), preserve_index=False)
            for name, table in found.items()
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(_encoded(found, ending, timezone))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return {name: len(table) for name, table in found.items()}


def _check(tables: Sequence[str], ending: str, timezone: str | None) -> None:
    unknown = [name for name in tables if name not in TABLES]
    if unknown or not tables:
        raise ExportError(f"no table {', '.join(map(repr, unknown)) or 'given'}; the tables are {', '.join(TABLES)}")
    if ending not in FORMATS:
        raise ExportError(f"name the file .{', .'.join(FORMATS)}; .{ending} is none of them")
    if ending != "xlsx" and len(tables) > 1:
        raise ExportError(f".{ending} holds one table, not {len(tables)}; export them one by one, or to .xlsx")
    nested = [name for name in tables if name in NOT_FLAT]
    if nested and ending != "parquet":
        raise ExportError(f"{', '.join(nested)}: its lists and pictures do not fit into .{ending}; export to .parquet")
    if timezone is not None and timezone not in available_timezones():
        raise ExportError(f"{timezone!r} is no IANA time zone; write for example Europe/Berlin")


def _encoded(tables: dict[str, pa.Table], ending: str, timezone: str | None) -> bytes:
    if ending == "parquet":
        return parquet_bytes(next(iter(tables.values())))
    frames = {name: in_zone(table.to_pandas(), timezone) for name, table in tables.items()}
    return excel_bytes(frames) if ending == "xlsx" else csv_bytes(next(iter(frames.values())))


def in_zone(data: pd.DataFrame, timezone: str | None) -> pd.DataFrame:
    """The table with its times in a zone (None: UTC)."""
    times = [str(name) for name in data if isinstance(data[name].dtype, pd.DatetimeTZDtype)]
    return data.assign(**{name: data[name].dt.tz_convert(timezone or "UTC") for name in times})


def csv_bytes(data: pd.DataFrame) -> bytes:
    """UTF-8 with a mark that Excel knows it by; times in ISO 8601 with their offset."""
    return data.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S.%f%z").encode("utf-8-sig")


def parquet_bytes(data: pd.DataFrame | pa.Table) -> bytes:
    buffer = io.BytesIO()
    table = data if isinstance(data, pa.Table) else pa.Table.from_pandas(data, preserve_index=False)
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def excel_bytes(tables: dict[str, pd.DataFrame]) -> bytes:
    """A sheet a table. Excel knows no time zones, so the zone of a column of times goes into its heading."""
    buffer = io.BytesIO()
    with pd.ExcelWriter(buffer, engine="openpyxl") as writer:
        for name, data in tables.items():
            if len(data) > EXCEL_ROWS:
                raise ExportError(f"{name}: {len(data):,} rows are more than a sheet holds; take .csv or fewer days")
            plain = data.copy(deep=False)
            for column in data:
                zone = data[column].dtype
                if isinstance(zone, pd.DatetimeTZDtype):
                    plain[column] = data[column].dt.tz_localize(None)
                    plain = plain.rename(columns={column: f"{column} ({zone.tz})"})
            plain.to_excel(writer, sheet_name=name[:SHEET_NAME_LENGTH], index=False)
        for sheet in writer.book.worksheets:
            for row in sheet.iter_rows():
                for cell in row:
                    if cell.data_type == "f":  # a name that begins with = is text, not a formula
                        cell.data_type = "s"
    return buffer.getvalue()
