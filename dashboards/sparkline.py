"""A number with its small course below it.

The course is a picture of a few hundred bytes: the charts that come with `st.metric` bring a second chart library, and
a page of them would wait a second longer for its first number.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Any, Literal

import streamlit as st

from dashboards import theme

Kind = Literal["area", "bar"]


def number(
    place: Any,
    key: str,
    label: str,
    text: str,
    definition: str,
    *,
    change: str | None = None,
    against: str | None = None,
    course: Sequence[float] = (),
    kind: Kind = "bar",
    note: str | None = None,
) -> None:
    """A card with a number, its change against what it is compared with, its course where that has three values, and
    a note. `key`: another for each card of a page."""
    with place.container(border=True, height="stretch", key=f"number-{key}"):
        st.metric(
            label, text, change, delta_color="off", delta_description=against if change else None, help=definition
        )
        if len(course) > 2:
            picture = base64.b64encode(sparkline(course, kind).encode()).decode()
            words = f"{label}: {len(course)} values from {min(course):,.4g} to {max(course):,.4g}"
            st.html(f'<img class="course" alt="{escape(words)}" src="data:image/svg+xml;base64,{picture}">')
        if note:
            st.caption(note)


def sparkline(values: Sequence[float], kind: Kind) -> str:
    """An SVG that fills whatever frame it is put in: bars from zero, or a line with the area below it."""
    top = max([*values, 0.0]) or 1.0
    heights = [max(value, 0.0) / top for value in values]
    if kind == "bar":
        marks = "".join(
            f'<rect x="{place + 0.15:.2f}" y="{1 - height:.3f}" width="0.7" height="{height:.3f}"/>'
            for place, height in enumerate(heights)
        )
        return _svg(len(values), f'<g fill="{theme.BLUE}">{marks}</g>')
    line = " L".join(f"{place},{1.04 - height:.3f}" for place, height in enumerate(heights))
    end = len(values) - 1
    return _svg(
        end,
        f'<path d="M0,1.1 L{line} L{end},1.1 Z" fill="{theme.BLUE}" opacity="0.16"/>'
        f'<path d="M{line}" fill="none" stroke="{theme.BLUE}" stroke-width="2" vector-effect="non-scaling-stroke"/>',
    )


def _svg(width: float, content: str) -> str:
    frame = f'viewBox="0 0 {width} 1.1" preserveAspectRatio="none"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {frame}>{content}</svg>'
