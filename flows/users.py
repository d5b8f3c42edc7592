"""Who may sign in to search for people: a local file of users and roles.

    users:
      - name: anna                       # signs in here, with this password
        password: $argon2id$v=19$...     # written by `aisleflow user add anna --role find`
        roles: [find]
      - name: ben@shop.example           # signs in with the company's OpenID Connect provider, under this e-mail
        roles: [find]

The file is AISLEFLOW_USERS, else users.yaml in the folder of stores. It is read anew at each sign-in, so a user or a
role that is taken out is out.
"""

from __future__ import annotations

import os
import pwd
import threading
from pathlib import Path
from typing import Literal, get_args

import yaml
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import Field, ValidationError, field_validator

from flows.config import Section
from flows.yaml_lines import read_yaml

Role = Literal["find"]
ROLES: tuple[str, ...] = get_args(Role)
SHORTEST_PASSWORD = 12

_hasher = PasswordHasher()  # argon2id with RFC 9106's second recommended parameters
_NOBODY = _hasher.hash("nobody signs in with this")
_hashing = threading.Lock()
"""A hash takes 64 MiB on purpose: one at a time, so that a crowd of wrong passwords can't fill the memory."""


class UsersError(ValueError):
    """The file of users can't be used; the message says what to mend."""


class User(Section):
    """Somebody who may sign in. Without `password` only through the OpenID Connect provider."""

    name: str = Field(title="Name", description="as typed at sign-in, or the e-mail at the provider", min_length=1)
    password: str | None = Field(None, title="Password", description="argon2 hash")
    roles: tuple[Role, ...] = Field((), title="Roles")

    @field_validator("password")
    @classmethod
    def _is_hash(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("$argon2"):
            raise ValueError("is no argon2 hash: write it with `aisleflow user add NAME`, never in plain")
        return value


class Users(Section):
    """The file."""

    users: tuple[User, ...] = ()

    def named(self, name: str) -> User | None:
        return next((user for user in self.users if user.name.casefold() == name.casefold()), None)


def users_file() -> Path:
    """AISLEFLOW_USERS, else users.yaml in AISLEFLOW_STORES."""
    stores = Path(os.environ.get("AISLEFLOW_STORES") or ".")
    return Path(os.environ.get("AISLEFLOW_USERS") or (stores if stores.is_dir() else stores.parent) / "users.yaml")


def read_users(file: Path | None = None) -> Users:
    """The users; none where there is no file. Raises UsersError for a file with mistakes, or that others may change."""
    path = file or users_file()
    if not path.is_file():
        return Users()
    if path.stat().st_mode & 0o022:
        raise UsersError(f"{path} can be changed by other users of this machine: chmod go-w {path}")
    try:
        return Users.model_validate(read_yaml(path)[0] or {})
    except yaml.YAMLError as error:
        raise UsersError(f"{path}: not valid YAML: {error}") from None
    except ValidationError as error:
        told = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise UsersError(f"{path}: {'; '.join(told)}") from None


def sign_in(name: str, password: str, file: Path | None = None) -> User | None:
    """The user of a name and password, or None. It takes as long for a name that is not there."""
    user = read_users(file).named(name)
    hashed = user.password if user and user.password else _NOBODY
    try:
        with _hashing:
            _hasher.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return None
    return user if user and user.password else None


def signed_in_elsewhere(email: str, verified: bool, file: Path | None = None) -> User | None:
    """The user of an e-mail that a provider vouches for, or None."""
    return read_users(file).named(email) if email and verified else None


def os_user() -> str:
    """Who runs this process, as the audit names them: the account itself, whatever LOGNAME says."""
    number = os.getuid()
    try:
        return f"os:{pwd.getpwuid(number).pw_name}"
    except KeyError:  # an account that a container made up
        return f"os:{number}"


def add_user(name: str, password: str | None, roles: tuple[str, ...], file: Path | None = None) -> Path:
    """Add a user, or replace the one of that name; returns the file. Raises UsersError."""
    if password is not None and len(password) < SHORTEST_PASSWORD:
        raise UsersError(f"a password needs at least {SHORTEST_PASSWORD} characters")
    unknown = sorted(set(roles) - set(ROLES))
    if unknown:
        raise UsersError(f"there is no role {unknown[0]!r}; the roles are {', '.join(ROLES)}")
    path = file or users_file()
    kept = [user for user in read_users(path).users if user.name.casefold() != name.casefold()]
    hashed = None if password is None else _hasher.hash(password)
    users = [*kept, User.model_validate({"name": name, "password": hashed, "roles": roles})]
    plain = {"users": [user.model_dump(mode="json", exclude_none=True) for user in users]}
    aside = path.with_name(f".{path.name}.new")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(yaml.safe_dump(plain, sort_keys=False))
    aside.replace(path)
    return path
