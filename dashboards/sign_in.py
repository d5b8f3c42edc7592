"""Signing in: by the company's OpenID Connect provider where `.streamlit/secrets.toml` names one, else by password.

A session that was idle for `IDLE_S` is signed out, one of the provider's after `SHIFT_S` as well. Failed passwords are
slowed down for everybody who tries that name.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from dashboards.view import lake_place, stores
from flows.find_audit import AuditLog, Entry
from flows.users import Role, User, UsersError, read_users, sign_in, signed_in_elsewhere

IDLE_S = 15 * 60
SHIFT_S = 12 * 3600
FREE_TRIES = 5
WAIT_S = 60.0
KEY = "signed-in"
SEARCH, FRAME, CLICKED, JUST_SEEN = PRIVATE = ("person-search", "find.frame", "find.frame.clicked", "find.just-seen")
"""What a browser session holds of a search, pictures and all; gone as soon as nobody is signed in."""


@dataclass(frozen=True)
class Session:
    """Who is signed in, and when they last did something (seconds since the epoch)."""

    name: str
    seen: float


def search_is_configured() -> bool:
    """Whether any store has turned person search on."""
    return any(store.find is not None for store in stores()[0].values())


def current_user(role: Role, *, active: bool = True) -> User | None:
    """The signed-in user, if they have the role now; the file of users is asked on every run of a page.

    active: they do something now. A page that looks for news by itself keeps nobody signed in.
    """
    session: Session | None = st.session_state.get(KEY)
    idle = session is not None and time.time() - session.seen >= IDLE_S
    try:
        if has_provider():
            user = _provided(idle)
        else:
            user = read_users().named(session.name) if session is not None and not idle else None
    except UsersError as error:
        st.error(str(error), icon=":material/rule:")
        return None
    if user is None:
        st.session_state.pop(KEY, None)
        return None
    if active or session is None:
        st.session_state[KEY] = Session(user.name, time.time())
    return user if role in user.roles else None


def _provided(idle: bool) -> User | None:
    """The user whom the provider vouches for. Its cookie lasts for weeks: who was idle, or came with the shift before,
    signs in again."""
    if not st.user.is_logged_in:
        return None
    if idle or time.time() - float(str(st.user.get("iat") or 0)) >= SHIFT_S:
        sign_out()
        return None
    return signed_in_elsewhere(str(st.user.get("email") or ""), st.user.get("email_verified") is True)


def has_provider() -> bool:
    """Whether an OpenID Connect provider is configured."""
    try:
        return "auth" in st.secrets
    except FileNotFoundError:
        return False


def sign_out() -> None:
    """End the session, at the provider too."""
    st.session_state.clear()
    if has_provider() and st.user.is_logged_in:
        st.logout()


def render() -> None:
    """The page on which one signs in."""
    for key in PRIVATE:
        st.session_state.pop(key, None)
    st.title("Sign in", anchor=False)
    st.caption("Only to search for a person. All other pages are open without it, and show nobody.")
    if has_provider():
        if st.user.is_logged_in:
            _audit_once(str(st.user.get("email") or ""))
            st.warning(
                f"{st.user.get('email')} has no right to search for people. It needs a user of that name with the role "
                "`find` in the file of users, and an address that the provider has verified.",
                icon=":material/block:",
            )
            st.button("Sign out", on_click=sign_out)
        else:
            st.button("Sign in with your company account", on_click=st.login, type="primary", icon=":material/login:")
        return
    with st.form("sign-in", width=380):
        name = st.text_input("Name", autocomplete="username", max_chars=200)
        password = st.text_input("Password", type="password", autocomplete="current-password", max_chars=200)
        if st.form_submit_button("Sign in", type="primary", icon=":material/login:"):
            _try(name, password)
    st.caption("Whoever runs aisleflow adds users with `aisleflow user add NAME`.")


def _audit_once(email: str) -> None:
    """A user of the provider without the role, once a browser session."""
    if st.session_state.get("audited-as") != email:
        st.session_state["audited-as"] = email
        _audit(email, "refused", "signed in with the provider, has not the role find")


def _try(name: str, password: str) -> None:
    wait = _Tries.wait(name)
    if wait > 0:
        st.error(f"Too many wrong passwords for this name; try again in {wait:.0f} s.", icon=":material/timer:")
        return
    try:
        user = sign_in(name, password)
    except UsersError as error:
        st.error(str(error), icon=":material/rule:")
        return
    if user is None or "find" not in user.roles:
        _Tries.failed(name)
        _audit(name, "refused", "wrong password" if user is None else "has not the role find")
        st.error("Wrong name or password, or no right to search for people.", icon=":material/block:")
        return
    _audit(user.name, "sign-in", "")
    st.session_state[KEY] = Session(user.name, time.time())
    st.rerun()


def _audit(name: str, action: Literal["sign-in", "refused"], query: str) -> None:
    """Put a sign-in into the audit of each store that is searched. A name that no user has is left out, so that
    nobody fills the audit with inventions."""
    if read_users().named(name) is None:
        return
    for store in stores()[0].values():
        if store.find is not None:
            AuditLog(lake_place(), store.id).append(Entry(name, action, store.find.purpose, "sign-in", query))


class _Tries:
    """Failed passwords by name, in this process."""

    _lock = threading.Lock()
    _failed: dict[str, list[float]] = {}  # noqa: RUF012 - shared on purpose

    @classmethod
    def wait(cls, name: str) -> float:
        """Seconds until a name may be tried again."""
        with cls._lock:
            recent = [at for at in cls._failed.get(name.casefold(), []) if time.monotonic() - at < WAIT_S]
            return WAIT_S - (time.monotonic() - recent[-FREE_TRIES]) if len(recent) >= FREE_TRIES else 0.0

    @classmethod
    def failed(cls, name: str) -> None:
        now = time.monotonic()
        with cls._lock:
            cls._failed = {key: times for key, times in cls._failed.items() if now - times[-1] < WAIT_S}
            cls._failed.setdefault(name.casefold(), []).append(now)
