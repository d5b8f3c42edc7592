"""Choices that last: kept from page to page, and written into the address, so that a link reopens the same view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st


def remembered(name: str, default: Any, allowed: Callable[[str], Any]) -> Any:
    """The value of a choice: from the link the page was opened by, else from the page before, else the default.

    `allowed` turns the text of the link into a value and raises ValueError for what can't be chosen.
    """
    for text in (st.query_params.get(name), st.session_state.get(f"chosen.{name}")):
        if text:
            try:
                return allowed(text)
            except ValueError:
                continue
    return default


def remember(name: str, text: str) -> None:
    """Keep a choice for the other pages, and in the address, so that the link reopens this view."""
    st.session_state[f"chosen.{name}"] = text
    if st.query_params.get(name) != text:
        st.query_params[name] = text


def hold(key: str, default: Any, is_allowed: Callable[[Any], bool]) -> Any:
    """Give a widget its value before it is drawn: the one it has, if that is allowed, else the default.

    Said anew on every run, because Streamlit forgets a widget's value when its page is left.
    """
    value = st.session_state.get(key)
    st.session_state[key] = value if key in st.session_state and is_allowed(value) else default
    return st.session_state[key]


def one_of(options: list[str]) -> Callable[[str], str]:
    def allowed(text: str) -> str:
        if text not in options:
            raise ValueError(text)
        return text

    return allowed


def choose(name: str, label: str, options: list[str], default: str, place: Any = st, **more: Any) -> str:
    """A select box whose choice is in the link."""
    key = f"choice.{name}"
    hold(key, remembered(name, default, one_of(options)), options.__contains__)
    value = place.selectbox(label, options, key=key, **more)
    remember(name, value)
    return value


def segmented(name: str, label: str, options: list[str], default: str, place: Any = st, **more: Any) -> str:
    """A row of buttons whose choice is in the link."""
    key = f"choice.{name}"
    hold(key, remembered(name, default, one_of(options)), options.__contains__)
    value = place.segmented_control(label, options, key=key, required=True, **more) or default
    remember(name, value)
    return value


def switch(name: str, label: str, default: bool, place: Any = st, **more: Any) -> bool:
    """A toggle whose choice is in the link."""
    key = f"choice.{name}"
    hold(key, remembered(name, default, lambda text: text == "1"), lambda value: isinstance(value, bool))
    value = place.toggle(label, key=key, **more)
    remember(name, "1" if value else "0")
    return bool(value)
