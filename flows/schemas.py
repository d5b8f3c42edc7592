"""Schemas of the lake's tables: one explicit `pa.schema` each, units in the fields' metadata, version in the schema's.

A day without anybody has the same column types as any other day, because every table is cast to its schema before it
is written. The partition columns `store` and `date` are in the path, not in the files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from detection.colours import COLOURS

SCHEMA_VERSION = 2
"""Raised when a column of any table changes its name, type or meaning."""

TIME = pa.timestamp("us", tz="UTC")
EMBEDDING_DIMENSION = 512
"""Length of the embeddings of a tracklets table that holds none and for which no dimension is given."""

SPAN = pa.struct([("start", TIME), ("end", TIME), ("reason", pa.string())])
CAMERA_RUN = pa.struct(
    [
        ("camera", pa.string()),
        ("seconds_expected", pa.float64()),
        ("seconds_seen", pa.float64()),
        ("seconds_missing", pa.float64()),
        ("frames", pa.int64()),
        ("gaps", pa.list_(SPAN)),
    ]
)
MODEL = pa.struct([("name", pa.string()), ("sha256", pa.string())])


class SchemaError(ValueError):
    """A table is not what the lake's schema says; the message names the column and what to do."""


def _field(name: str, kind: pa.DataType, unit: str, meaning: str, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"unit": unit, "meaning": meaning})


def _camera() -> pa.Field:
    return _field("camera", pa.string(), "", "camera id of store.yaml")


def _track() -> pa.Field:
    return _field("track_id", pa.int64(), "", "track of this camera and day, from 1")


def _person() -> pa.Field:
    return _field("person_id", pa.int64(), "", "person of this store and day, from 1 in order of first appearance")


def _role() -> pa.Field:
    return _field("role", pa.string(), "", "shopper or staff")


def _fields(dimension: int) -> dict[str, list[pa.Field]]:
    number, real, whole = pa.float32(), pa.float64(), pa.int32()
    colours = pa.list_(pa.float16(), len(COLOURS))
    return {
        "positions": [
            _camera(),
            _track(),
            _field("time", TIME, "UTC", "when the frame was taken"),
            _field("x1", number, "px", "left of the box"),
            _field("y1", number, "px", "top of the box"),
            _field("x2", number, "px", "right of the box"),
            _field("y2", number, "px", "bottom of the box"),
            _field("score", number, "0..1", "detector's confidence"),
            _field("x_m", number, "m", "floor, east; null where the camera is not calibrated", True),
            _field("y_m", number, "m", "floor, north; null where the camera is not calibrated", True),
        ],
        "tracklets": [
            _camera(),
            _track(),
            _field("start", TIME, "UTC", "first sample"),
            _field("end", TIME, "UTC", "last sample"),
            _field("samples", whole, "frames", "sampled frames with the person"),
            _field("embedding", pa.list_(pa.float16(), dimension), "", "L2-normalised; null without a good crop", True),
            _field("embedding_key", pa.string(), "", "embeddings compare only under one key (day_secrets)", True),
            _field("quality", number, "0..1", "mean quality of the crops behind the embedding"),
            _field("height_m", number, "m", "the person's height; null where the camera can't tell", True),
            _field("height_sigma_m", number, "m", "standard deviation of height_m", True),
            _field("upper_colours", colours, "0..1", f"shares of {', '.join(COLOURS)} above the waist", True),
            _field("lower_colours", colours, "0..1", "the same below it; null where people aren't searched", True),
            _field("truncated_start", pa.bool_(), "", "there at the first picture after a hole or the day's start"),
            _field("truncated_end", pa.bool_(), "", "there at the last picture before a hole or the day's end"),
        ],
        "identities": [
            _camera(),
            _track(),
            _person(),
            _field("confidence", number, "0..1", "how sure it is that the track is this person"),
        ],
        "visits": [
            _person(),
            _role(),
            _field("zone", pa.string(), "", "zone id of store.yaml"),
            _field("enter", TIME, "UTC", "the border was crossed inward, or the video began"),
            _field("exit", TIME, "UTC", "the border was crossed outward, or the video ended"),
            _field("dwell_s", real, "s", "exit - enter"),
            _field("truncated", pa.bool_(), "", "the video began or ended during the visit: the true dwell is longer"),
        ],
        "groups": [
            _person(),
            _field("group_id", pa.int64(), "", "who came in and walks together; from 1, alone: a group of one"),
        ],
        "footfall": [
            _person(),
            _role(),
            _field("entrance", pa.string(), "", "entrance id of store.yaml"),
            _field("time", TIME, "UTC", "the line was crossed"),
            _field("direction", pa.string(), "", "in or out"),
        ],
        "zone_counts": [
            _field("zone", pa.string(), "", "zone id of store.yaml"),
            _field("bucket_start", TIME, "UTC", "aligned to multiples of bucket_s since the epoch"),
            _field("bucket_s", whole, "s", "length of the bucket"),
            _field("role_filter", pa.string(), "", "shoppers (without staff) or all"),
            _field("occupancy_mean", real, "people", "mean over the observed time; null where nothing was", True),
            _field("occupancy_max", whole, "people", "most people at one moment; null where unobserved", True),
            _field("entries", whole, "people", "entered; null where unobserved", True),
            _field("exits", whole, "people", "left; null where unobserved", True),
            _field("unique_people", whole, "people", "different people inside; null where unobserved", True),
            _field("dwell_s", real, "person-seconds", "spent inside; null where unobserved", True),
            _field("density_mean", real, "people/m2", "occupancy_mean / area; null where the area is unknown", True),
            _field("coverage", real, "0..1", "share of the bucket that was observed"),
        ],
        "zone_quarters": [
            _field("zone", pa.string(), "", "zone id of store.yaml"),
            _field("role_filter", pa.string(), "", "shoppers (without staff) or all"),
            _field("quarter_start", TIME, "UTC", "aligned to quarter-hours since the epoch"),
            _field("observed_s", real, "s", "of the quarter-hour that was observed, times the share of the area"),
            _field("bucket_s", whole, "s", "of the quarter-hour that was counted"),
            _field("person_s", real, "person-seconds", "occupancy_mean * bucket_s * coverage, summed"),
            _field("density_s", real, "people s/m2", "density_mean * bucket_s * coverage; null without an area", True),
            _field("occupancy_max", whole, "people", "most people at one moment; null where unobserved", True),
            _field("entries", whole, "people", "entered; null where unobserved", True),
            _field("exits", whole, "people", "left; null where unobserved", True),
            *(_field(f"level_{level}_s", real, "s", "observed at this Fruin level, by minute") for level in "abcdef"),
        ],
        "camera_views": [
            _camera(),
            _field(
                "picture", pa.binary(), "PNG", "the day's median picture, small and grey: nobody who moves is in it"
            ),
            _field("samples", whole, "frames", "looked at"),
            _field("brightness", real, "0..255", "mean of the picture"),
            _field("sharpness", real, "", "mean absolute step between neighbouring pixels"),
        ],
        "checks": [
            _field("check", pa.string(), "", "what was looked at; see flows/day_checks.py"),
            _field("camera", pa.string(), "", "camera id; null: the whole store", True),
            _field("value", real, "unit", "what was measured; null where it could not be", True),
            _field("limit", real, "unit", "beyond it the day looks wrong", True),
            _field("unit", pa.string(), "", "of value and limit"),
            _field("wrong", pa.bool_(), "", "the day looks wrong"),
            _field("said", pa.string(), "", "what was found, and what to do"),
        ],
        "runs": [
            _field("run_id", pa.string(), "", "of this processing"),
            _field("started", TIME, "UTC", "start of the processing"),
            _field("finished", TIME, "UTC", "end of the processing"),
            _field("code_version", pa.string(), "", "version of aisleflow"),
            _field("config_sha256", pa.string(), "", "of the store.yaml"),
            _field("models", pa.list_(MODEL), "", "the models that ran"),
            _field("simulated", pa.bool_(), "", "people are invented, not seen"),
            _field("cameras", pa.list_(CAMERA_RUN), "s", "what was recorded of each camera, and its holes"),
            _field("problems", pa.list_(pa.string()), "", "what went wrong, for a reader"),
            _field("stage_seconds", pa.map_(pa.string(), real), "s", "processing time by stage"),
        ],
    }


TABLES = tuple(_fields(EMBEDDING_DIMENSION))
"""Names of the lake's tables."""

SORT_KEYS: dict[str, tuple[str, ...]] = {
    "positions": ("camera", "track_id", "time"),
    "tracklets": ("camera", "track_id"),
    "identities": ("camera", "track_id"),
    "visits": ("enter", "zone", "person_id", "exit"),
    "groups": ("group_id", "person_id"),
    "footfall": ("time", "entrance", "person_id", "direction"),
    "zone_counts": ("role_filter", "zone", "bucket_start"),
    "zone_quarters": ("role_filter", "zone", "quarter_start"),
    "camera_views": ("camera",),
    "checks": ("check", "camera", "said"),
    "runs": ("started", "run_id"),
}
"""The order of rows in a file: the same rows make the same file."""

ALLOWED_VALUES = {
    ("visits", "role"): ("shopper", "staff"),
    ("footfall", "role"): ("shopper", "staff"),
    ("footfall", "direction"): ("in", "out"),
    ("zone_counts", "role_filter"): ("shoppers", "all"),
    ("zone_quarters", "role_filter"): ("shoppers", "all"),
}


def schema(table: str, dimension: int = EMBEDDING_DIMENSION) -> pa.Schema:
    """Schema of a table; `dimension` is the length of the embeddings in tracklets. Raises SchemaError if unknown."""
    fields = _fields(dimension).get(table)
    if fields is None:
        raise SchemaError(f"there is no table {table!r} in the lake; the tables are {', '.join(TABLES)}")
    return pa.schema(fields, metadata={"aisleflow.table": table, "aisleflow.schema_version": str(SCHEMA_VERSION)})


def empty(table: str, dimension: int = EMBEDDING_DIMENSION) -> pa.Table:
    """A table without rows and with all column types."""
    return schema(table, dimension).empty_table()


def from_columns(table: str, columns: Mapping[str, Any], dimension: int = EMBEDDING_DIMENSION) -> pa.Table:
    """A table from a mapping of column name to array or list; times may be int64 UTC microseconds. Unsorted."""
    wanted = schema(table, dimension)
    _check_names(table, list(columns), wanted)
    arrays = []
    for field in wanted:
        values = columns[field.name]
        try:
            arrays.append(_column(values, field))
        # What Arrow raises for values that don't fit a type, the last one where no conversion between the two exists.
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise SchemaError(f"{table}.{field.name}: can't be stored as {field.type}: {error}") from None
    result = pa.Table.from_arrays(arrays, schema=wanted)
    _check_content(table, result)
    return result


def conform(table: str, data: pa.Table | pd.DataFrame) -> pa.Table:
    """Cast to the table's schema, check the content and sort the rows.

    Columns may come in any order; int64 is taken as UTC microseconds where a time is wanted. Raises SchemaError for
    missing or unknown columns, values that do not fit, nulls where none may be, unknown roles and directions.
    """
    if isinstance(data, pd.DataFrame):
        data = _from_pandas(table, data)
    dimension = _embedding_dimension(data)
    result = from_columns(table, {name: data[name] for name in data.column_names}, dimension)
    return _sorted(result, SORT_KEYS[table])


def _from_pandas(table: str, data: pd.DataFrame) -> pa.Table:
    _check_names(table, list(data.columns), schema(table))
    columns = {}
    for name in data.columns:
        values = data[name]
        is_nested = values.dtype == object and table in ("runs", "tracklets")
        columns[name] = list(values) if is_nested and name in ("models", "cameras", "embedding") else values
    if table == "tracklets":
        vectors = [None if v is None else v for v in columns["embedding"]]
        sizes = {len(v) for v in vectors if v is not None} or {EMBEDDING_DIMENSION}
        if len(sizes) > 1:
            raise SchemaError(f"tracklets.embedding: all must have the same length, found {sorted(sizes)}")
        columns["embedding"] = pa.array(vectors, pa.list_(pa.float16(), sizes.pop()))
    return pa.table({name: _column(values, schema(table).field(name)) for name, values in columns.items()})


def _column(values: Any, field: pa.Field) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values if values.type == field.type else values.cast(field.type)
    if isinstance(field.type, pa.FixedSizeListType):
        return _embeddings(values, field.type)
    if pa.types.is_nested(field.type):  # from the values alone a map can't be told from a list of pairs
        return pa.array(values, field.type, from_pandas=True)
    array = pa.array(values, from_pandas=True)
    if pa.types.is_timestamp(field.type) and pa.types.is_floating(array.type):
        array = array.cast(pa.int64())  # pandas makes floats of whole numbers beside a missing one, and of no rows
    return array if array.type == field.type else array.cast(field.type, safe=not pa.types.is_floating(field.type))


def _embeddings(values: Any, kind: pa.FixedSizeListType) -> pa.Array:
    """From (N, D) numpy, rows of NaN becoming null, or from a list of vectors and None."""
    if isinstance(values, np.ndarray) and values.ndim == 2:
        flat = pa.array(np.ascontiguousarray(values, np.float16).ravel())
        missing = pa.array(np.isnan(values).any(axis=1))
        return pa.FixedSizeListArray.from_arrays(flat, type=kind, mask=missing)
    return pa.array(values, kind)


def _embedding_dimension(data: pa.Table) -> int:
    if "embedding" in data.column_names and isinstance(data["embedding"].type, pa.FixedSizeListType):
        return data["embedding"].type.list_size
    return EMBEDDING_DIMENSION


def _check_names(table: str, names: Sequence[str], wanted: pa.Schema) -> None:
    missing = [name for name in wanted.names if name not in names]
    unknown = [name for name in names if name not in wanted.names]
    if missing or unknown or len(set(names)) != len(names):
        parts = [f"add {', '.join(missing)}"] if missing else []
        parts += [f"remove {', '.join(unknown)}"] if unknown else []
        raise SchemaError(f"{table}: its columns are {', '.join(wanted.names)}; {'; '.join(parts) or 'one is doubled'}")


def _check_content(name: str, table: pa.Table) -> None:
    for field in table.schema:
        column = table[field.name]
        if not field.nullable and column.null_count:
            raise SchemaError(f"{name}.{field.name}: {column.null_count} of {len(column)} rows are null; none may be")
    for (owner, column_name), allowed in ALLOWED_VALUES.items():
        if owner == name:
            found = set(pc.unique(table[column_name]).to_pylist()) - set(allowed)
            if found:
                raise SchemaError(f"{name}.{column_name}: {sorted(found)} is none of {', '.join(allowed)}")


def _sorted(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    order = pc.sort_indices(table, [(key, "ascending") for key in keys])
    return table.take(order).combine_chunks()
