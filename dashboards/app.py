"""The dashboard. Start it with `streamlit run dashboards/app.py`.

AISLEFLOW_LAKE names the lake (default ./lake), AISLEFLOW_STORES the folder of ID/store.yaml files (default: the
bundled demo). Pages only read; *Set up* alone writes, and only store.yaml.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # streamlit puts this folder on the path, not the one above it
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from dashboards import sign_in  # noqa: E402

ASSETS = Path(__file__).parent / "assets"


def _page(name: str, *, charts: bool = False) -> Callable[[], None]:
    """Draws a page of `dashboards.views`; imported when it is opened, for some bring seconds of libraries with them."""

    def render() -> None:
        if charts:
            import_module("dashboards.charts").fetch_library()
        import_module(f"dashboards.views.{name}").render()

    return render


def _find() -> None:
    """The search for whoever may search. What it needs is loaded while they type their password: that takes seconds."""
    if sign_in.current_user("find") is None:
        sign_in.render()
        threading.Thread(target=import_module, args=("dashboards.views.find",), daemon=True).start()
    else:
        _page("find")()


def main() -> None:
    """Draw the frame and the chosen page."""
    st.set_page_config(page_title="aisleflow", page_icon=str(ASSETS / "icon.svg"), layout="wide")
    st.html(ASSETS / "style.css")
    st.logo(str(ASSETS / "logo.svg"), size="large")
    pages = [
        home := st.Page(_page("today", charts=True), title="Today's store", icon=":material/storefront:", default=True),
        st.Page(_page("zones", charts=True), title="Zones", icon=":material/dashboard:", url_path="zones"),
        st.Page(_page("floor", charts=True), title="Floor", icon=":material/map:", url_path="floor"),
        st.Page(_page("chain", charts=True), title="Chain", icon=":material/stacked_line_chart:", url_path="chain"),
        st.Page(_page("quality", charts=True), title="Data quality", icon=":material/verified:", url_path="quality"),
        st.Page(_page("audit"), title="Audit", icon=":material/fact_check:", url_path="audit"),
        st.Page(_page("setup"), title="Set up", icon=":material/tune:", url_path="setup"),
    ]

    def to_home() -> None:
        """The default page has the address `/` alone; a link to /today goes there, with the view it names."""
        st.switch_page(home, query_params=st.query_params.to_dict())

    pages.append(st.Page(to_home, title="Today's store", url_path="today", visibility="hidden"))
    if sign_in.search_is_configured():
        pages.append(st.Page(_find, title="Find", icon=":material/person_search:", url_path="find"))
    st.navigation(pages, position="top").run()


main()
