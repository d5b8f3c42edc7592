"""docs/what-happens-when.md says what the program says: each message as the sources have it, each command as parsed."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import typer
from pydantic_core._pydantic_core import list_all_errors

from flows.cli import app

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "what-happens-when.md"
PACKAGES = ("detection", "reid", "flows", "dashboards")
LEAST_FIXED = 12
"""Characters of its own that a text must have to be looked for."""

LEAST_SHARE = 0.6
"""Share of a message's words that must be the program's; the others are values: names, paths, other programs' words."""


def blocks(kind: str) -> list[str]:
    """Lines of the page's fenced blocks of a kind."""
    found = re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [line for block in found for line in block.splitlines() if line]


@cache
def templates() -> tuple[re.Pattern[str], ...]:
    """Texts of the sources, and pydantic's, in which any value may stand for a field; what is fixed is in groups."""
    texts: set[tuple[str | None, ...]] = set()
    for file in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            if isinstance(node, ast.JoinedStr | ast.Constant):
                texts.add(tuple(str(part.value) if isinstance(part, ast.Constant) else None for part in parts))
    for error in list_all_errors():
        first, *others = re.split(r"{\w+}", error["message_template_python"])
        texts.add((first[:1].lower() + first[1:], *(part for other in others for part in (None, other))))
    fixed = (text for text in texts if len("".join(part or "" for part in text).strip()) >= LEAST_FIXED)
    return tuple(
        re.compile("".join(".*" if part is None else f"({re.escape(part)})" for part in text))
        for text in fixed
        if not any("\n" in (part or "") for part in text)
    )


def share_of_the_program(message: str) -> float:
    """Share of a message's words that stand in texts of the program."""
    covered = [False] * len(message)
    for match in filter(None, (pattern.search(message) for pattern in templates())):
        for start, end in match.regs[1:]:
            covered[start:end] = [True] * (end - start)
    words = list(re.finditer(r"(?<![\w/.'-])[a-z]{4,}(?![\w/.-])", message))
    return sum(all(covered[word.start() : word.end()]) for word in words) / len(words)


def test_each_message_is_one_that_the_program_prints() -> None:
    shares = {message: share_of_the_program(message) for message in blocks("text")}
    assert len(shares) > 30
    assert {message: share for message, share in shares.items() if share < LEAST_SHARE} == {}


@pytest.mark.parametrize(
    "made_up",
    [
        "2025-03-14_10-00-00.mp4: the recording was eaten by the recorder's dog",
        "clip.mp4: read 0 %: the file is empty; buy a new recorder from your dealer",
    ],
)
def test_a_message_that_nothing_prints_is_found_out(made_up: str) -> None:
    assert share_of_the_program(made_up) < LEAST_SHARE


@pytest.mark.parametrize("line", blocks("sh"))
def test_each_command_is_one_that_the_program_takes(line: str) -> None:
    program, *arguments = shlex.split(line)
    if program == "prefect":
        from flows.nightly import store_day

        assert arguments[:3] == ["deployment", "run", "store-day/nightly"]
        given = {argument.partition("=")[0] for argument in arguments if re.match(r"\w+=", argument)}
        assert given and given <= set(inspect.signature(store_day.fn).parameters)
        return
    assert program == "aisleflow"
    group = typer.main.get_command(app)
    with group.make_context(program, arguments[:1], resilient_parsing=True) as context:
        command = group.get_command(context, arguments[0])
        assert command is not None, arguments[0]
        command.make_context(arguments[0], arguments[1:], parent=context)  # parses, and runs nothing


def test_each_linked_page_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", PAGE.read_text(encoding="utf-8"))
    assert links and all((PAGE.parent / link).exists() for link in links)
