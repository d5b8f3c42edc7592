"""Set up: draw zones, entrances, fixtures and masks, calibrate cameras, write store.yaml."""

from __future__ import annotations

import streamlit as st

from dashboards import drafts, notices, view
from dashboards.choices import choose, segmented
from dashboards.drafts import Draft
from dashboards.store_file import StoreFileChanged, fingerprint, save_changes
from dashboards.views.setup_calibration import calibrate
from dashboards.views.setup_obstacles import draw_obstacles
from dashboards.views.setup_zones import draw_zones
from flows.config import StoreConfig
from flows.store_reading import StoreConfigError

PARTS = {"Zones and entrances": draw_zones, "Fixtures and masks": draw_obstacles, "Calibration": calibrate}


def render() -> None:
    """Draw the page."""
    known, problems = view.stores()
    notices.no_stores("Set up", known, problems)
    with st.container(horizontal=True, vertical_alignment="bottom", key="head"):
        with st.container(key="heading", width="stretch"):
            st.title("Set up", anchor=False)
            subtitle = st.empty()
        options = sorted(known, key=lambda name: known[name].name)
        store_id = choose("store", "Store", options, options[0], format_func=lambda name: known[name].name, width=250)
        part = segmented("part", "What", list(PARTS), next(iter(PARTS)))
    store, path = known[store_id], view.store_file(store_id)
    subtitle.caption(f"{store.name} · what is drawn and calibrated. Nothing is written before you save.")
    notices.faults(problems)
    draft = drafts.open_draft(store, fingerprint(path))
    _tell_saved()
    PARTS[part](store, draft)
    _save_bar(store, draft)


def _tell_saved() -> None:
    said = st.session_state.pop("setup.saved", None)
    if said:
        st.success(said, icon=":material/check_circle:")


def _save_bar(store: StoreConfig, draft: Draft) -> None:
    changes = drafts.changes(store, draft)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="savebar"):
        st.markdown("**" + ("; ".join(changes) if changes else "No changes") + "**", width="stretch")
        if st.button("Discard", disabled=not changes, icon=":material/undo:", key="setup.discard"):
            drafts.forget(store)
            st.rerun()
        save = st.button(
            "Check and save", type="primary", disabled=not changes, icon=":material/save:", key="setup.save"
        )
    if save:
        path = view.store_file(store.id)
        try:
            backup = save_changes(path, draft.read_as, **drafts.for_file(store, draft))
        except StoreConfigError as error:
            st.error(
                "Not saved; the file is as it was. Mend these first:\n\n"
                + "\n".join(f"- `{problem.field}` {problem.message}" for problem in error.problems),
                icon=":material/rule:",
            )
            return
        except (StoreFileChanged, OSError) as error:
            st.error(f"Not saved: {error}", icon=":material/sync_problem:")
            return
        drafts.forget(store)
        st.session_state["setup.saved"] = (
            f"Saved to `{path}`. The file before is kept as `{backup.name}`. "
            "Days processed from now on use it; `aisleflow run` processes an older day anew."
        )
        st.rerun()
