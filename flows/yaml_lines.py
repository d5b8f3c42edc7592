"""YAML with the line of every field, and with the fields that are given twice."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Location = tuple[str | int, ...]
MAX_BYTES = 4_000_000
MAX_DEPTH = 100

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Plain values only; libyaml reads ten times faster than Python, which a chain of fifty stores feels."""


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
    _refuse_brackets(text)
    _refuse_aliases(text)
    lines, loader = YamlLines(), _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None, lines
        _collect(root, (), lines)
        return loader.construct_document(root), lines
    except RecursionError:
        raise yaml.YAMLError("it is nested too deeply for a configuration") from None
    except (ValueError, AttributeError, TypeError) as error:  # what PyYAML's constructors let through: 2025-02-30, say
        raise yaml.YAMLError(f"a value is none of its type ({error})") from None
    finally:
        loader.dispose()


def _refuse_brackets(text: str) -> None:
    """PyYAML takes time by the square of how deeply brackets are nested."""
    depth = 0
    for bracket in re.finditer(r"[][{}]", text):
        depth = max(depth + (1 if bracket[0] in "[{" else -1), 0)
        if depth > MAX_DEPTH:
            raise yaml.YAMLError(f"brackets are nested more than {MAX_DEPTH} deep")


def _refuse_aliases(text: str) -> None:
    """No aliases: one can multiply itself until memory ends; a configuration needs none. Nor depth without end."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            line = f"line {event.start_mark.line + 1}: " if event.start_mark else ""
            raise yaml.YAMLError(f"{line}aliases (*name) are not supported; write it out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.YAMLError("it is nested too deeply for a configuration")


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
