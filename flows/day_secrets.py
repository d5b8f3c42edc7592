"""The secrets that a store's embeddings are turned by, one a store-day, outside of the lake.

    SECRETS/STORE/YYYY-MM-DD.key    32 random bytes, readable by their owner only

SECRETS is AISLEFLOW_SECRETS, else ~/.local/share/aisleflow/secrets. It is no part of the lake, so a copy of the lake
does not hold them. Workers on several machines need one folder that they share. A store that joins days
(`privacy.join_days`) has one secret for all of them, STORE/all-days.key. Embeddings whose secret was deleted can never
be compared with anything again.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from flows.config import StoreConfig
from flows.lake_layout import checked_date, checked_store
from reid.rotation import SECRET_BYTES, key_of

ALL_DAYS = "all-days"


class SecretMissing(ValueError):
    """A store-day's secret is not there; the message says where it was looked for and what to do."""


@dataclass(frozen=True)
class DaySecret:
    """Where a secret lies and its public name. The secret itself is read when needed, and never put in a record."""

    path: str
    key: str

    def read(self) -> bytes:
        """The secret's bytes. Raises SecretMissing where it is gone or is another one."""
        try:
            secret = Path(self.path).read_bytes()
        except FileNotFoundError:
            raise SecretMissing(
                f"the secret {self.path} is not there: where several machines work on a day, set AISLEFLOW_SECRETS to "
                "a folder that they share; where it was deleted, process the day again"
            ) from None
        if key_of(secret) != self.key:
            raise SecretMissing(f"the secret {self.path} is another one than the day was begun with; start it again")
        return secret


def secrets_folder() -> Path:
    """AISLEFLOW_SECRETS, else a folder in the user's data directory."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Path(os.environ.get("AISLEFLOW_SECRETS") or data / "aisleflow" / "secrets")


def make_secret(config: StoreConfig, day: date) -> DaySecret:
    """The secret of a store-day, made now where there is none. Two processes that make it at once get the same one."""
    path = _path(config, day)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            pass
        finally:
            aside.unlink()
    return DaySecret(str(path), key_of(path.read_bytes()))


def day_secret(config: StoreConfig, day: date) -> DaySecret:
    """The secret of a store-day. Raises SecretMissing where there is none."""
    path = _path(config, day)
    if not path.is_file():
        raise SecretMissing(
            f"{config.id} {day} has no secret at {path}: its embeddings were deleted, or AISLEFLOW_SECRETS names "
            "another folder than the one the day was processed with"
        )
    return DaySecret(str(path), key_of(path.read_bytes()))


def has_day_secret(store: str, day: date | str) -> bool:
    """Whether a store-day has a secret of its own."""
    return _own_path(store, day).is_file()


def delete_day_secret(store: str, day: date | str) -> None:
    """Delete a store-day's own secret, for good. A secret of all days stays for the other days."""
    _own_path(store, day).unlink(missing_ok=True)


def _own_path(store: str, day: date | str) -> Path:
    return secrets_folder() / checked_store(store) / f"{checked_date(day)}.key"


def _path(config: StoreConfig, day: date) -> Path:
    name = ALL_DAYS if config.privacy.join_days else checked_date(day)
    return secrets_folder() / checked_store(config.id) / f"{name}.key"
