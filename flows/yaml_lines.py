"""YAML with the line of every field, and with the fields that are given twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Location = tuple[str | int, ...]
MAX_BYTES = 4_000_000


@dataclass
class YamlLines:
    """Line numbers (from 1) by location, and fields that occur twice in one mapping."""

    by_location: dict[Location, int] = field(default_factory=dict)
    duplicates: list[tuple[str, int]] = field(default_factory=list)

    def line(self, location: Location) -> int | None:
        """The line of a location, or of the nearest part above it that is in the file."""
        for length in range(len(location), 0, -1):
            if location[:length] in self.by_location:
                return self.by_location[location[:length]]
        return None


def read_yaml(path: Path) -> tuple[Any, YamlLines]:
    """Safe-load a YAML file; tags such as !!python are refused. Raises OSError, UnicodeDecodeError, yaml.YAMLError."""
    if path.stat().st_size > MAX_BYTES:
        raise yaml.YAMLError(f"{path.stat().st_size:,} bytes are more than a configuration has ({MAX_BYTES:,})")
    text = path.read_text(encoding="utf-8-sig")
    lines = YamlLines()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is not None:
        _refuse_aliases(text)
        _collect(root, (), lines)
    return yaml.safe_load(text), lines


def _refuse_aliases(text: str) -> None:
    """An alias can multiply itself until memory ends; a store's configuration needs none."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise yaml.YAMLError(f"line {line}: aliases (*name) are not supported; write it out")


def _collect(node: yaml.Node, location: Location, lines: YamlLines) -> None:
    lines.by_location[location] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            _collect(item, (*location, number), lines)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            _collect(value, (*location, name), lines)
            lines.by_location[(*location, name)] = key.start_mark.line + 1
            if name in seen:
                lines.duplicates.append((".".join(map(str, (*location, name))), key.start_mark.line + 1))
            seen.add(name)
