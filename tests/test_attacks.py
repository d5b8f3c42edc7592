"""Attacks on people's privacy and on the machine, each tried, each refused with a line that says why.

Who searches is audited, and so is a search that was refused; the tests read the audit where one is due.
"""

from __future__ import annotations

import os
import pwd
import sys
import threading
import time
import tomllib
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboards import sign_in as sign_in_page
from dashboards.sign_in import KEY, SHIFT_S, Session
from detection.guarded_picture import MOST_BYTES
from flows import users as users_module
from flows.cli import main
from flows.crop_files import write_crop
from flows.day_secrets import SecretMissing, day_secret, delete_day_secret, make_secret
from flows.find import Query, SearchRefused, TrackletName
from flows.find_audit import AuditLog, Entry
from flows.lake import Lake
from flows.lake_layout import LakeError
from flows.person_search import PersonSearch
from flows.store_reading import StoreConfigError, load_store
from flows.users import UsersError, add_user, read_users, sign_in, signed_in_elsewhere
from tests.conftest import ROOT
from tests.flows.search_lake import DAY, REASON, Seen, looks, open_search, write_day, write_store

NEXT = date(2025, 3, 15)
PEOPLE = [Seen(1, "west"), Seen(2, "checkout"), Seen(3, "south")]
PASSWORD = "correct horse battery"
PAGE = "from dashboards.views import find\nfind.render()\n"


@pytest.fixture
def file(tmp_path: Path, own_secrets: None) -> Path:
    store = write_store(tmp_path / "stores")
    write_day(store, tmp_path / "lake", PEOPLE)
    return store


@pytest.fixture
def audit(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    """The audit's rows so far."""
    return lambda: AuditLog(str(tmp_path / "lake"), "demo").entries().to_pylist()


def ends_with_2(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    return capfd.readouterr().err


# Searching


def test_a_store_that_did_not_turn_search_on_is_not_searched(file: Path, tmp_path: Path, audit, capfd):
    write_store(tmp_path / "stores", find=None)
    where = ["--store", "demo", "--lake", str(tmp_path / "lake"), "--stores", str(tmp_path / "stores")]
    assert "person search is off for demo" in ends_with_2(["find", *where, "--reason", REASON, "--age", "child"], capfd)
    assert [row["action"] for row in audit()] == ["refused"]


@pytest.mark.parametrize("purpose", ["", "because", None])
def test_search_is_not_turned_on_without_a_purpose(tmp_path: Path, purpose: str | None):
    store = write_store(tmp_path, find={} if purpose is None else {"purpose": purpose})
    with pytest.raises(StoreConfigError, match=r"find\.purpose"):
        load_store(store)


@pytest.mark.parametrize("reason", ["", "   ", "x", "\n\t so \n"])
def test_a_search_without_a_reason_is_refused_and_audited(file: Path, tmp_path: Path, audit, reason: str):
    with pytest.raises(SearchRefused, match="say why you search"):
        open_search(file, tmp_path / "lake", reason)
    (row,) = audit()
    assert (row["user"], row["action"], row["shown"]) == ("anna", "refused", [])


def test_two_days_are_not_joined(file: Path, tmp_path: Path, audit):
    write_day(file, tmp_path / "lake", PEOPLE, NEXT)
    with pytest.raises(SearchRefused, match="does not let a person be followed over several days"):
        open_search(file, tmp_path / "lake", days=(DAY, NEXT))
    assert audit()[-1]["action"] == "refused"


def test_whoever_holds_the_lake_alone_joins_no_days(file: Path, tmp_path: Path, monkeypatch):
    """The same person on two days: the stored vectors have nothing in common, and the secrets are not in the lake."""
    write_day(file, tmp_path / "lake", PEOPLE, NEXT)
    stored = [
        np.array(Lake(str(tmp_path / "lake")).read_day("demo", day)["tracklets"]["embedding"].to_pylist(), np.float32)
        for day in (DAY, NEXT)
    ]
    same, others = np.diag(stored[0] @ stored[1].T), (stored[0] @ stored[1].T)[~np.eye(len(PEOPLE), dtype=bool)]
    assert np.abs(same).max() < 0.3 and same.mean() - others.mean() < 0.2
    within = stored[0] @ stored[0].T
    assert np.allclose(np.diag(within), 1, atol=1e-2)
    config = load_store(file)
    secrets = [day_secret(config, day).read() for day in (DAY, NEXT)]
    for path in (tmp_path / "lake").rglob("*"):
        assert not path.is_file() or all(secret not in path.read_bytes() for secret in secrets)
    assert all(Path(day_secret(config, day).path).stat().st_mode & 0o077 == 0 for day in (DAY, NEXT))
    monkeypatch.setenv("AISLEFLOW_SECRETS", str(tmp_path / "elsewhere"))
    with pytest.raises(SecretMissing, match="embeddings were deleted, or AISLEFLOW_SECRETS"):
        open_search(file, tmp_path / "lake").find(Query(embedding=looks(1)))
    make_secret(config, DAY)  # one's own secret instead of the deleted one
    with pytest.raises(SecretMissing, match="turned by another secret"):
        open_search(file, tmp_path / "lake").find(Query(embedding=looks(1)))


def test_a_day_whose_secret_is_gone_is_never_searched_again(file: Path, tmp_path: Path):
    open_search(file, tmp_path / "lake").find(Query(embedding=looks(1)))
    delete_day_secret("demo", DAY)
    with pytest.raises(SecretMissing):
        open_search(file, tmp_path / "lake").find(Query(embedding=looks(1)))


def test_what_cannot_be_audited_is_not_shown(file: Path, tmp_path: Path, monkeypatch):
    search = open_search(file, tmp_path / "lake")

    def full(*_: object) -> bool:
        raise OSError("No space left on device")

    monkeypatch.setattr(type(search._audit._files), "put_new", full)
    for act in (lambda: search.find(Query(embedding=looks(1))), search.show_heads, lambda: search.crops([])):
        with pytest.raises(LakeError, match="can't be written, so it is not done"):
            act()
    assert search._shows_heads is False


def test_the_audit_names_the_account_whatever_its_environment_says(
    file: Path, tmp_path: Path, audit, monkeypatch, capfd
):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    where = ["--store", "demo", "--lake", str(tmp_path / "lake"), "--stores", str(tmp_path / "stores")]
    ends_with_2(["find", *where, "--reason", "", "--age", "child"], capfd)
    assert audit()[-1]["user"] == f"os:{pwd.getpwuid(os.getuid()).pw_name}"


def test_a_reason_writes_no_line_of_its_own_into_the_log(file: Path, tmp_path: Path, capfd):
    open_search(file, tmp_path / "lake", "a mother\n9 2025-03-14 os:ben search: 'nothing' \x1b[2K\u202eesac eht").find(
        Query(embedding=looks(1))
    )
    with pytest.raises(SystemExit, match="0"):
        main(["find-log", "--store", "demo", "--lake", str(tmp_path / "lake")])
    (line,) = capfd.readouterr().out.splitlines()
    assert line.startswith("1 ") and "\x1b" not in line and "\u202e" not in line


def test_an_audit_that_lost_an_entry_goes_on_and_tells(tmp_path: Path):
    """Whoever removes an entry neither hides it nor keeps others from searching."""
    log = AuditLog(str(tmp_path), "demo")
    for number in range(4):
        log.append(Entry("anna", "search", "purpose", f"reason {number}"))
    folder = tmp_path / "find_audit" / "store=demo"
    (folder / "entry-00000002.parquet").unlink()
    (folder / "zzz.parquet").write_bytes(b"no entry")
    assert log.append(Entry("anna", "search", "purpose", "another")) == 5
    assert [problem.split(":")[0] for problem in log.problems()] == ["entry-00000003.parquet"] * 2 + ["zzz.parquet"]
    (folder / "entry-00000005.parquet").write_bytes(b"broken")
    with pytest.raises(LakeError, match="can't be written, so it is not done"):
        log.append(Entry("anna", "search", "purpose", "yet another"))


def test_a_picture_is_written_through_nobodys_link(tmp_path: Path):
    other, folder = tmp_path / "other", tmp_path / "crops"
    other.write_text("as it was")
    folder.mkdir()
    name = TrackletName(DAY, "west", 1)
    (folder / f"001_{DAY}_west_1.png").symlink_to(other)
    written = Path(write_crop(np.zeros((30, 20, 3), np.uint8), folder, "001", name))
    assert other.read_text() == "as it was" and not written.is_symlink()
    assert written.stat().st_mode & 0o077 == 0 and Image.open(written).size == (20, 30)


# Signing in, and crops without the role


@pytest.fixture
def page(file: Path, tmp_path: Path, monkeypatch) -> Callable[[], AppTest]:
    monkeypatch.setenv("AISLEFLOW_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("AISLEFLOW_STORES", str(tmp_path / "stores"))
    monkeypatch.setenv("AISLEFLOW_USERS", str(tmp_path / "users.yaml"))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # AppTest leaves its page there
    add_user("anna", PASSWORD, ("find",))
    add_user("carl", PASSWORD, ())

    def opened(user: str | None = None, seen: float = 4e9) -> AppTest:
        test = AppTest.from_string(PAGE, default_timeout=60)
        if user:
            test.session_state[KEY] = Session(user, seen)
        return test.run()

    return opened


def headings(test: AppTest) -> list[str]:
    assert not test.exception
    return [title.value for title in test.title]


def test_the_page_shows_nothing_without_the_role(page, monkeypatch, audit):
    monkeypatch.setattr(PersonSearch, "__init__", lambda *_: pytest.fail("a search was opened"))
    for user, seen in ((None, 0.0), ("carl", 4e9), ("nobody", 4e9), ("anna", 0.0)):
        assert headings(page(user, seen)) == ["Sign in"], user
    assert audit() == []
    assert headings(page("anna")) == ["Find a person"]


def test_wrong_passwords_are_refused_slowed_down_and_audited(page, audit):
    test = page()
    for _ in range(6):
        test.text_input[0].set_value("anna")
        test.text_input[1].set_value("wrong password")
        test.button[0].click().run()
        assert headings(test) == ["Sign in"]
    assert "Too many wrong passwords" in test.error[0].value
    test.text_input[0].set_value("carl")
    test.text_input[1].set_value(PASSWORD)
    test.button[0].click().run()
    assert "no right to search" in test.error[0].value
    test.text_input[0].set_value("invented")
    test.text_input[1].set_value(PASSWORD)
    test.button[0].click().run()
    assert [(row["user"], row["query"]) for row in audit()] == [
        *[("anna", "wrong password")] * 5,
        ("carl", "has not the role find"),
    ]


def test_wrong_passwords_fill_no_memory(monkeypatch, tmp_path: Path):
    """Neither by names that are made up, nor by hashes that are computed side by side."""
    clock = [1000.0]
    monkeypatch.setattr(sign_in_page.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(sign_in_page._Tries, "_failed", {})
    for number in range(1000):
        clock[0] += 1
        sign_in_page._Tries.failed(f"invented {number}")
        assert sign_in_page._Tries.wait(f"tried {number}") == 0
    assert len(sign_in_page._Tries._failed) <= sign_in_page.WAIT_S
    running, most = [], []

    class Hasher:
        def verify(self, *_: str) -> bool:
            running.append(1)
            most.append(len(running))
            time.sleep(0.01)
            running.pop()
            return True

    monkeypatch.setattr(users_module, "_hasher", Hasher())
    tries = [threading.Thread(target=sign_in, args=("anna", PASSWORD, tmp_path / "users.yaml")) for _ in range(8)]
    for one in tries:
        one.start()
    for one in tries:
        one.join()
    assert len(most) == 8 and max(most) == 1


class Provided(dict):
    """What Streamlit knows of a user of the OpenID Connect provider."""

    is_logged_in = True


def test_a_provider_signs_nobody_in_for_weeks(page, monkeypatch):
    """Its cookie lasts 30 days: who was idle, or signed in before this shift, signs in again."""
    out: list[int] = []
    monkeypatch.setattr(sign_in_page, "has_provider", lambda: True)
    monkeypatch.setattr("streamlit.logout", lambda: out.append(1))
    ben = {"email": "ben@shop.example", "email_verified": True, "iat": time.time() - 60}
    add_user("ben@shop.example", None, ("find",))
    for claims, seen, title, signed_out in (
        (ben, time.time(), "Find a person", 0),
        (ben, 0.0, "Sign in", 1),
        (ben | {"iat": time.time() - SHIFT_S}, time.time(), "Sign in", 1),
        ({name: claim for name, claim in ben.items() if name != "iat"}, time.time(), "Sign in", 1),
        (ben | {"email_verified": False}, time.time(), "Sign in", 0),
        (ben | {"email": "eve@shop.example"}, time.time(), "Sign in", 0),
    ):
        monkeypatch.setattr("streamlit.user", Provided(claims))
        out.clear()
        assert headings(page("ben@shop.example", seen)) == [title], claims
        assert len(out) == signed_out
    monkeypatch.setattr(Provided, "is_logged_in", False)
    assert headings(page("ben@shop.example", time.time())) == ["Sign in"], "no password session beside the provider"


def test_a_store_that_turns_search_off_ends_the_search_under_way(page, tmp_path: Path, audit):
    zones = [{"id": "aisle", "name": "![x](http://a.example/y.png)", "kind": "aisle",
              "polygon": [[0, 0], [11, 0], [11, 8], [0, 8]]}]  # fmt: skip
    write_store(tmp_path / "stores", zones=zones)
    test = page("anna")
    test.text_input(key="find.reason").set_value(REASON)
    test.selectbox(key="find.age").set_value("adult")
    test.button(key="find.search").click().run()
    shown = " ".join(markdown.value for markdown in test.markdown)
    assert "x" in shown and "![x](" not in shown, "a zone's name fetches no picture"
    yes = next(button for button in test.button if button.label == "Yes")
    write_store(tmp_path / "stores", find=None)
    yes.click().run()
    assert "confirm" not in [row["action"] for row in audit()] and "is off" in test.info[0].value


def test_a_role_that_was_taken_away_is_gone_at_once(page):
    test = page("anna")
    assert headings(test) == ["Find a person"]
    add_user("anna", PASSWORD, ())
    assert headings(test.run()) == ["Sign in"]


def test_passwords_are_kept_as_hashes_and_the_file_is_not_everybodys(tmp_path: Path):
    users = add_user("anna", PASSWORD, ("find",), tmp_path / "users.yaml")
    assert PASSWORD not in users.read_text() and "$argon2id$" in users.read_text()
    assert users.stat().st_mode & 0o077 == 0
    assert sign_in("anna", PASSWORD, users) is not None
    assert sign_in("anna", PASSWORD + " ", users) is None and sign_in("ben", PASSWORD, users) is None
    assert signed_in_elsewhere("anna", False, users) is None, "an address that the provider has not verified"
    users.chmod(0o666)
    with pytest.raises(UsersError, match="can be changed by other users"):
        read_users(users)
    users.write_text("users:\n  - {name: eve, password: in plain, roles: [find]}\n")
    users.chmod(0o600)
    with pytest.raises(UsersError, match="is no argon2 hash"):
        read_users(users)


# Paths


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "west/../..", "west\x00", "..", "west\n"])
def test_no_name_leads_out_of_a_folder(file: Path, tmp_path: Path, name: str, capfd):
    cameras = [{"id": name}]
    with pytest.raises(StoreConfigError, match=r"cameras\[0\].id"):
        load_store(write_store(tmp_path / "other", cameras=cameras))
    with pytest.raises(StoreConfigError, match="id:"):
        load_store(write_store(tmp_path / "another", id=name))
    search = open_search(file, tmp_path / "lake")
    with pytest.raises(ValueError, match="has no camera"):
        search.frame(name, 0)
    with pytest.raises(LakeError, match="is no store id"):
        Lake(str(tmp_path / "lake")).read_day(name, DAY)
    with pytest.raises(LakeError, match="is no store id"):
        AuditLog(str(tmp_path / "lake"), name)
    said = ends_with_2(["find-log", "--store", name, "--lake", str(tmp_path / "lake")], capfd)
    assert "is no store id" in said
    sighting = ["--confirm", f"2025-03-14/{name}/1", "--reason", REASON, "--age", "child"]
    where = ["--store", "demo", "--lake", str(tmp_path / "lake"), "--stores", str(tmp_path / "stores")]
    if "\x00" not in name:
        ends_with_2(["find", *where, *sighting], capfd)


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['touch {0}']", "!!python/object/new:os.system ['touch {0}']"]
)
def test_a_store_file_runs_no_code(tmp_path: Path, tag: str, capfd):
    trap = tmp_path / "ran"
    store = write_store(tmp_path)
    store.write_text(store.read_text().replace("name: Corner shop (demo)", f"name: {tag.format(trap)}"))
    said = ends_with_2(["check", str(store)], capfd)
    assert "python/object" in said and "store.yaml:" in said
    assert not trap.exists()


def test_the_audit_holds_no_picture_and_no_embedding(file: Path, tmp_path: Path, audit):
    open_search(file, tmp_path / "lake").find(Query(embedding=looks(1), upper="red"))
    (row,) = audit()
    assert row["query"].startswith("picture, upper red")
    assert all(not isinstance(value, bytes | float) for value in row.values())
    assert set(asdict(Query())) - {"embedding"} == {"upper", "lower", "age", "confirmed", "rejected"}


def test_the_dashboard_listens_to_this_machine_alone_and_tells_nobody():
    settings = tomllib.loads((ROOT / "dashboards" / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["server"]["maxUploadSize"] * 1_000_000 <= MOST_BYTES, "whoever opens a page can upload to memory"
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["client"]["showErrorDetails"] == "none"
