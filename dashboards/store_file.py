"""Changing a store.yaml without hurting it: comments and order stay, what is wrong is refused, the old file is kept.

A save writes a new file beside the old one, reads it back through `examine_store`, keeps the old text as
`store.yaml.bak-TIME`, and only then puts the new one in its place with one rename.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from flows.store_reading import Problem, StoreConfigError, examine_store

KEPT_BACKUPS = 20


class StoreFileChanged(RuntimeError):
    """Someone else wrote the file since it was read."""


def fingerprint(path: Path) -> str:
    """sha256 of the file as it is now."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save_changes(
    path: Path,
    read_as: str,
    *,
    zones: Sequence[Mapping[str, Any]] | None = None,
    entrances: Sequence[Mapping[str, Any]] | None = None,
    fixtures: Sequence[Mapping[str, Any]] | None = None,
    cameras: Mapping[str, Mapping[str, Any]] | None = None,
) -> Path:
    """Write changed zones, entrances, fixtures and cameras into a store.yaml; returns the path of the kept old file.

    Args:
        path: the store.yaml.
        read_as: `fingerprint` of the file when its content was read.
        zones, entrances: all of them as plain mappings with `id`; an item's `was` is its id in the file, where it
            differs. None leaves the list as it is.
        fixtures: all of them as plain mappings; `was` is an item's place in the file, None for a new one.
        cameras: fields to change by camera id.

    Raises:
        StoreFileChanged: the file is not what it was; read it again.
        StoreConfigError: the result would not be valid; the file is as it was.
    """
    if fingerprint(path) != read_as:
        raise StoreFileChanged(
            f"{path.name} was changed by someone else meanwhile; reload the page to work on that version"
        )
    text = changed_text(
        path.read_text(encoding="utf-8-sig"), zones=zones, entrances=entrances, fixtures=fixtures, cameras=cameras
    )
    handle, name = tempfile.mkstemp(prefix=".store-", suffix=".yaml", dir=path.parent)
    fresh = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        _, problems = examine_store(fresh)
        if problems:
            raise StoreConfigError([Problem(str(path), p.field, p.message) for p in problems])
        backup = _keep(path)
        fresh.chmod(path.stat().st_mode & 0o777)
        os.replace(fresh, path)
        _sync_folder(path.parent)
    finally:
        fresh.unlink(missing_ok=True)
    return backup


def changed_text(
    text: str,
    *,
    zones: Sequence[Mapping[str, Any]] | None = None,
    entrances: Sequence[Mapping[str, Any]] | None = None,
    fixtures: Sequence[Mapping[str, Any]] | None = None,
    cameras: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """The text of a store.yaml with other zones, entrances, fixtures and cameras; the rest as it was, comments too."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(text)
    for name, items in (("zones", zones), ("entrances", entrances)):
        if items is not None:
            _replace_items(document, name, items)
    if fixtures is not None:
        _replace_fixtures(document["floor"], fixtures)
    for camera in document.get("cameras") or ():
        for field, value in ((cameras or {}).get(camera.get("id")) or {}).items():
            _put(camera, field, value)
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _replace_items(document: CommentedMap, name: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Make a list hold exactly these items; those that were there keep their mapping, and with it their comments."""
    old = document.get(name)
    if old is None:
        old = document[name] = CommentedSeq()
    wanted = {str(item.get("was") or item["id"]): item for item in items}
    for number in range(len(old) - 1, -1, -1):
        if str(old[number].get("id", "main")) not in wanted:
            del old[number]
    there = {str(entry.get("id", "main")): entry for entry in old}
    for was, item in wanted.items():
        entry = there.get(was)
        if entry is None:
            entry = CommentedMap()
            old.append(entry)
        for field, value in item.items():
            if field != "was":
                _put(entry, field, value)


def _replace_fixtures(floor: CommentedMap, fixtures: Sequence[Mapping[str, Any]]) -> None:
    """Make the floor hold exactly these fixtures; they have no id, so their place in the file tells them apart."""
    old = floor.get("fixtures")
    kept = {int(item["was"]) for item in fixtures if item.get("was") is not None}
    if old is None and not fixtures:
        return
    if old is None:
        old = floor["fixtures"] = CommentedSeq()
    entries = dict(enumerate(old))
    for number in range(len(old) - 1, -1, -1):
        if number not in kept:
            del old[number]
    for item in fixtures:
        entry = CommentedMap() if item.get("was") is None else entries[int(item["was"])]
        for field, value in item.items():
            if field != "was":
                _put(entry, field, value)
        if item.get("was") is None:
            old.append(entry)
    if not old:
        floor.pop("fixtures")


def _put(entry: CommentedMap, field: str, value: Any) -> None:
    """Set a field if it differs; None removes it. Lists of numbers are written in one line."""
    if value is None:
        entry.pop(field, None)
    elif _plain(entry.get(field)) != _plain(value):
        entry[field] = _in_line(_plain(value))


def _plain(value: Any) -> Any:
    """Lists and numbers without ruamel's and numpy's types; whole numbers as int, as people write them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return int(value) if value == int(value) else float(value)
    return value


def _in_line(value: Any) -> Any:
    if isinstance(value, list):
        sequence = CommentedSeq([_in_line(one) for one in value])
        if not any(isinstance(one, dict) for one in value):
            sequence.fa.set_flow_style()
        return sequence
    if isinstance(value, dict):
        mapping = CommentedMap({key: _in_line(one) for key, one in value.items()})
        if all(not isinstance(one, dict) and not _holds_mappings(one) for one in value.values()):
            mapping.fa.set_flow_style()
        return mapping
    return value


def _holds_mappings(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, dict) for one in value)


def _keep(path: Path) -> Path:
    """Copy the file to a backup named by the moment; the oldest beyond KEPT_BACKUPS go."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    backup = path.with_name(f"{path.name}.bak-{stamp}")
    backup.write_bytes(path.read_bytes())
    for old in sorted(path.parent.glob(f"{path.name}.bak-*"))[:-KEPT_BACKUPS]:
        old.unlink()
    return backup


def _sync_folder(folder: Path) -> None:
    """Make the rename last through a power cut, where the system lets a folder be synced."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
