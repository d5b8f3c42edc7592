"""What a page shows, read from Streamlit's AppTest."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import numpy as np
from streamlit.testing.v1 import AppTest

Open = Callable[..., AppTest]


def metrics(test: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in test.metric}


def said(test: AppTest) -> str:
    return "\n".join(
        element.value for kind in ("info", "warning", "error", "success", "caption") for element in test.get(kind)
    )


def chart(test: AppTest, key: str) -> dict:
    """The plotly figure of a chart, as the browser gets it."""
    drawn = {one.proto.id: one.proto.json for one in test.get("bidi_component")}
    found = [sent for name, sent in drawn.items() if key in name]
    assert found, f"no chart {key!r} among {sorted(drawn)}"
    return json.loads(json.loads(found[0])["figure"])


def numbers(values: list | dict) -> np.ndarray:
    """Numbers of a trace; plotly sends arrays as base64."""
    if not isinstance(values, dict):
        return np.array(values, dtype=float)
    array = np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
    return array.reshape([int(size) for size in str(values.get("shape", len(array))).split(",")])
