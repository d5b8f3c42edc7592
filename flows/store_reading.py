"""Reading a store.yaml: every mistake in it is found at once and told in one line each.

A line says file, line, field, what is wrong and what to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from flows.config import Section, StoreConfig
from flows.config_checks import Fault, cross_checks
from flows.yaml_lines import YamlLines, read_yaml


@dataclass(frozen=True)
class Problem:
    """One mistake: where it is and how to mend it. Prints as one line."""

    file: str
    field: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.field}: {self.message}" if self.field else f"{place}: {self.message}"


class StoreConfigError(ValueError):
    """What is wrong with a store's configuration; `problems` holds every mistake, `str()` one line each."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


def load_store(path: str | Path) -> StoreConfig:
    """Read a store.yaml. Raises StoreConfigError with every mistake in it."""
    config, problems = examine_store(path)
    if problems or config is None:
        raise StoreConfigError(problems)
    return config


def examine_store(path: str | Path) -> tuple[StoreConfig | None, list[Problem]]:
    """Read a store.yaml and list its mistakes.

    Returns what could be understood (faulty cameras, zones and so on left out; None where too little is left) and the
    mistakes, so that further checks can go on and everything is told at once.
    """
    file = Path(path)
    try:
        data, lines = read_yaml(file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return None, [Problem(str(file), "", f"not valid YAML: {error.problem}", mark.line + 1 if mark else None)]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        return None, [Problem(str(file), "", f"cannot be read: {error}")]
    if not isinstance(data, dict):
        return None, [Problem(str(file), "", "holds no fields; start with `id:`, `name:`, `timezone:`, `floor:` ...")]

    problems = [Problem(str(file), field, "is given twice; remove one", line) for field, line in lines.duplicates]
    config, faults = _understand(data)
    faults += cross_checks(config, data) if config else []
    problems += [Problem(str(file), field_name(loc), message, lines.line(loc)) for loc, message in faults]
    return config and _files_beside(config, file.parent), problems


def _files_beside(config: StoreConfig, folder: Path) -> StoreConfig:
    """The configuration with what lies beside store.yaml by its whole path, wherever the job is started: models, and
    the pictures of uniforms."""
    found: dict[str, Section] = {}
    for name, choice in (("detector", config.detector), ("reid", config.reid)):
        family, colon, path = choice.model.rpartition(":")
        if path and (folder / path).exists():
            found[name] = choice.model_copy(update={"model": f"{family}{colon}{(folder / path).absolute()}"})
    if config.staff is not None:
        pictures = tuple(str((folder / path).absolute()) for path in config.staff.uniform)
        found["staff"] = config.staff.model_copy(update={"uniform": pictures})
    return config.model_copy(update=found)


def _understand(data: dict[str, Any]) -> tuple[StoreConfig | None, list[Fault]]:
    """Validate, leaving out what is faulty, until the rest stands or too little is left."""
    faults: list[Fault] = []
    for _ in range(20):  # each round takes at least one faulty part out; a file has few levels
        try:
            return StoreConfig.model_validate(data), faults
        except ValidationError as error:
            found = [(tuple(item["loc"]), _say(item)) for item in error.errors()]
        # a list is not too short as well where its only item is faulty
        found = [one for one in found if not any(one[0] == loc[: len(one[0])] != loc for loc, _ in found)]
        known = {loc for loc, _ in faults}  # a field left out for its fault is not missing as well
        faults += [(loc, message) for loc, message in found if not any(loc == old[: len(loc)] for old in known)]
        reduced = _without(data, [loc for loc, _ in found])
        if reduced == data:
            break
        data = reduced
    return None, faults


def _without(data: dict[str, Any], locations: list[tuple[str | int, ...]]) -> dict[str, Any]:
    """The data without the list items (or else the top-level fields) that hold the faults."""
    bad_items = {loc[:2] for loc in locations if len(loc) > 1 and isinstance(loc[1], int)}
    bad_fields = {loc[0] for loc in locations if loc and (len(loc) == 1 or not isinstance(loc[1], int))}
    reduced: dict[str, Any] = {}
    for name, value in data.items():
        if name in bad_fields:
            continue
        if isinstance(value, list):
            value = [item for number, item in enumerate(value) if (name, number) not in bad_items]
        reduced[name] = value
    return reduced


def _say(error: Any) -> str:
    """A validation error in plain words, with what to do."""
    kind, given = error["type"], error.get("input")
    if kind == "extra_forbidden":
        return "is not a field here; check its spelling, or remove it"
    if kind == "missing":
        return "is missing; add it"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "too_short":
        return f"holds {error['ctx']['actual_length']}; give at least {error['ctx']['min_length']}"
    shown = repr(given)
    return f"{error['msg'][0].lower()}{error['msg'][1:]}; it is {shown if len(shown) < 60 else shown[:57] + '...'}"


def field_name(location: tuple[str | int, ...]) -> str:
    """A place in the file as messages name it: `cameras[1].calibration`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def config_lines(path: str | Path) -> YamlLines:
    """Where each field of a store.yaml stands, for messages that come after loading."""
    return read_yaml(Path(path))[1]
