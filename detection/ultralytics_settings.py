"""Import ultralytics without telemetry, without installing packages behind one's back, and without unpickling code.

Whether weights may be fetched is the user's choice: `YOLO_OFFLINE=true` in the environment forbids it. While
ultralytics is imported it is set in any case, because the import would otherwise look up public DNS servers.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType


def cache_folder() -> Path:
    """Where ultralytics keeps its settings and fetched weights: the user's cache folder, made if need be."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "aisleflow" / "ultralytics"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def offline() -> bool:
    """Whether the user forbids fetching weights."""
    return os.environ.get("YOLO_OFFLINE", "").strip().lower() in {"1", "true", "yes", "on", "y", "t"}


def import_ultralytics() -> ModuleType:
    """The ultralytics package, with usage reports, automatic installs and unsafe unpickling off."""
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    os.environ["ULTRALYTICS_SAFE_LOAD"] = "true"  # weights_only with a list of allowed classes
    os.environ.setdefault("YOLO_CONFIG_DIR", str(cache_folder()))
    os.environ.setdefault("YOLO_VERBOSE", "false")
    chosen = os.environ.get("YOLO_OFFLINE")
    os.environ["YOLO_OFFLINE"] = "true"
    try:
        import ultralytics
        from ultralytics.utils import SETTINGS
        from ultralytics.utils.events import events
    finally:
        if chosen is None:
            del os.environ["YOLO_OFFLINE"]
        else:
            os.environ["YOLO_OFFLINE"] = chosen
    _load_safely()
    events.enabled = False
    if SETTINGS["sync"]:
        SETTINGS.update({"sync": False})
    return ultralytics


def _load_safely() -> None:
    """Safe loading also where somebody imported ultralytics before, which reads its setting once."""
    for name in ("ultralytics.utils", "ultralytics.nn.tasks"):
        if name in sys.modules:
            if not hasattr(sys.modules[name], "SAFE_LOAD"):
                raise ImportError(
                    f"{name} has no SAFE_LOAD any more: checkpoints could run code; use the locked release"
                )
            sys.modules[name].SAFE_LOAD = True  # type: ignore[attr-defined]
