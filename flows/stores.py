"""Where stores are configured: a folder with one `ID/store.yaml` a store, named by AISLEFLOW_STORES."""

from __future__ import annotations

import os
from pathlib import Path

from flows.store_reading import Problem, StoreConfigError, examine_store

DEMO = Path(__file__).parent / "demo" / "store.yaml"


def store_files(folder: str | Path | None = None) -> list[Path]:
    """All store.yaml files of a folder (default: AISLEFLOW_STORES, and the bundled demo where that is not set).

    The folder may hold `store.yaml` itself, `ID/store.yaml`, or be the path of one file.
    """
    place = folder or os.environ.get("AISLEFLOW_STORES")
    if not place:
        return [DEMO]
    root = Path(place)
    if root.is_file():
        return [root]
    return sorted({*root.glob("store.yaml"), *root.glob("*/store.yaml")})


def find_store(store: str, folder: str | Path | None = None) -> Path:
    """The store.yaml of a store id. Raises StoreConfigError where there is none."""
    files = store_files(folder)
    known = []
    for file in files:
        config, _ = examine_store(file)
        identifier = config.id if config else file.parent.name
        if identifier == store:
            return file
        known.append(identifier)
    place = str(folder or os.environ.get("AISLEFLOW_STORES") or DEMO.parent)
    stores = ", ".join(known) or "none"
    message = f"there is no store {store!r} (found: {stores}); put its file at {store}/store.yaml in AISLEFLOW_STORES"
    raise StoreConfigError([Problem(place, "", message)])
