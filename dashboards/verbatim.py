"""Texts that are not this project's: file names, paths, places in files. Markdown must leave them as they are."""

from __future__ import annotations

import re


def in_code(text: str) -> str:
    """Inline code, the one place where Streamlit makes no picture of `store.yaml:100:`."""
    return f"`{text}`" if "`" not in text else f"`` {text} ``"


def in_prose(text: str) -> str:
    """A sentence that holds names: nothing in it turns bold, slanted, a formula or a link."""
    return re.sub(r"([\\`*_\[\]<>~$#|])", r"\\\1", text)
