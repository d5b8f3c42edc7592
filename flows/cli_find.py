"""`aisleflow find`, `find-live`, `find-log` and `user`: person search and who may do it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli_options import LakeOption, StoresOption, day_of, out

if TYPE_CHECKING:
    from flows.config import StoreConfig
    from flows.find import Candidate, Query
    from flows.person_search import PersonSearch

find_commands = typer.Typer()
user = typer.Typer(no_args_is_help=True, help="Who may sign in to search for people.")
find_commands.add_typer(user, name="user")

StoreOption = Annotated[str, typer.Option("--store", help="store id")]
ReasonOption = Annotated[str, typer.Option("--reason", help="why; goes into the audit beside your name")]
ImageOption = Annotated[
    list[Path], typer.Option("--image", help="JPEG, PNG or WebP of the person; several are averaged")
]
UpperOption = Annotated[str | None, typer.Option("--upper", help="colour above the waist: red, dark clothes are black")]
LowerOption = Annotated[str | None, typer.Option("--lower", help="colour below the waist")]
AgeOption = Annotated[str | None, typer.Option("--age", help="child or adult, by height")]
CropsOption = Annotated[Path | None, typer.Option("--crops", help="folder to write pictures of the people to")]
HeadsOption = Annotated[bool, typer.Option("--show-heads", help="do not blur heads; audited")]


@find_commands.command()
def find(
    store: StoreOption,
    reason: ReasonOption = "",
    image: ImageOption = [],  # noqa: B006
    at: Annotated[
        str | None, typer.Option("--at", metavar="CAMERA,TIME,X,Y", help="a person seen: store time (ISO), pixels")
    ] = None,
    upper: UpperOption = None,
    lower: LowerOption = None,
    age: AgeOption = None,
    date: Annotated[list[str], typer.Option("--date", metavar="YYYY-MM-DD", help="else the newest day")] = [],  # noqa: B006 - typer copies it
    since: Annotated[str | None, typer.Option("--since", metavar="HH:MM", help="store time")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="HH:MM", help="store time")] = None,
    camera: Annotated[list[str], typer.Option("--camera", help="only these cameras")] = [],  # noqa: B006
    confirm: Annotated[list[str], typer.Option("--confirm", metavar="SIGHTING", help="this is the person")] = [],  # noqa: B006
    reject: Annotated[list[str], typer.Option("--reject", metavar="SIGHTING", help="this is not")] = [],  # noqa: B006
    newest: Annotated[bool, typer.Option("--newest", help="of the likeliest, the last seen first")] = False,
    count: Annotated[int, typer.Option("--count", min=1, max=200)] = 10,
    crops: CropsOption = None,
    show_heads: HeadsOption = False,
    lake: LakeOption = None,
    stores: StoresOption = None,
    json_output: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Find a person: ranked sightings for a picture, a person in a frame, or a description."""
    from flows.find import Filters, TrackletName
    from flows.person_search import PersonSearch
    from flows.plan import default_lake
    from flows.stores import find_store
    from flows.users import os_user

    place = lake or default_lake()
    days = [day for text in date if (day := day_of(text))] or [_newest_day(place, store)]
    search = PersonSearch(find_store(store, stores), place, os_user(), reason, days)
    query = _query(search, image, at, upper, lower, age)
    for texts, same in ((confirm, True), (reject, False)):
        for text in texts:
            query = search.answer(query, TrackletName.parse(text), same_person=same)
    since_us, until_us = (
        None if text is None else _time_us(search.config, f"{days[0]}T{text}") for text in (since, until)
    )
    found = search.find(query, Filters(tuple(camera), since_us, until_us), count=count, newest_first=newest)
    if show_heads:
        search.show_heads()
    if crops is not None:
        _write_crops(search, found, crops)
    _print(search, query, found, json_output)


@find_commands.command("find-live")
def find_live_command(
    store: StoreOption,
    reason: ReasonOption = "",
    image: ImageOption = [],  # noqa: B006
    upper: UpperOption = None,
    lower: LowerOption = None,
    age: AgeOption = None,
    minutes: Annotated[float, typer.Option(help="how long to watch", min=0)] = 60,
    look_back: Annotated[float, typer.Option(help="also look through so many minutes before now", min=0)] = 30,
    crops: CropsOption = None,
    show_heads: HeadsOption = False,
    lake: LakeOption = None,
    stores: StoresOption = None,
) -> None:
    """Watch the segments that are being recorded and report the person when they come by."""
    from flows.crop_files import write_crop
    from flows.find_live import LiveSearch
    from flows.person_search import PersonSearch
    from flows.plan import default_lake
    from flows.stores import find_store
    from flows.users import os_user

    search = PersonSearch(find_store(store, stores), lake or default_lake(), os_user(), reason, [])
    query = _query(search, image, None, upper, lower, age)
    if show_heads:
        search.show_heads()
    for match in LiveSearch(search, query, look_back_s=look_back * 60).watch(minutes * 60):
        out.print(str(match), soft_wrap=True, markup=False)
        if crops is not None:
            (crop,) = search.crops_of([match.shot])
            out.print(f"  {write_crop(crop, crops, f'{match.end:%H-%M-%S}', match.candidate.name)}", soft_wrap=True)


@find_commands.command("find-log")
def find_log(store: StoreOption, lake: LakeOption = None) -> None:
    """Who searched for a person, when, why, and what was shown. Exit status 1 where entries were tampered with."""
    from flows.find_audit import AuditLog
    from flows.lake_layout import LakeError
    from flows.plan import default_lake

    try:
        log = AuditLog(lake or default_lake(), store)
    except LakeError as error:
        raise ValueError(str(error)) from None
    for row in log.entries().to_pylist():
        shown = f" shown: {' '.join(row['shown'])}" if row["shown"] else ""
        line = f"{row['number']} {row['time']:%Y-%m-%d %H:%M:%S}Z {row['user']} {row['action']}: {row['reason']!r}"
        out.print(f"{line} {row['query']}{shown}", soft_wrap=True, markup=False)
    problems = log.problems()
    for problem in problems:
        out.print(problem, soft_wrap=True, markup=False)
    raise SystemExit(1 if problems else 0)


@user.command("add")
def user_add(
    name: Annotated[str, typer.Argument(help="name typed at sign-in, or the e-mail at the OpenID Connect provider")],
    role: Annotated[list[str], typer.Option("--role", help="find: may search for people")] = ["find"],  # noqa: B006
    provider: Annotated[bool, typer.Option("--provider", help="signs in with the provider: no password here")] = False,
    file: Annotated[Path | None, typer.Option(help="else AISLEFLOW_USERS, else users.yaml beside the stores")] = None,
) -> None:
    """Add somebody, or change their password and roles."""
    from flows.users import add_user

    password = None if provider else typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    out.print(f"written: {add_user(name, password, tuple(role), file)}")


def _newest_day(lake: str, store: str) -> Any:
    from flows.lake import Lake

    days = Lake(lake).days([store])
    if not days:
        raise ValueError(f"{lake} has no day of {store}; process one first, or watch with `aisleflow find-live`")
    return days[-1].date


def _query(
    search: PersonSearch, images: list[Path], at: str | None, upper: str | None, lower: str | None, age: str | None
) -> Query:
    from dataclasses import replace

    from detection.isolated import read_picture
    from flows.find import Query, described

    if images and at is not None:
        raise ValueError("give --image or --at, not both")
    query = Query()
    if images:
        query = search.of_pictures([read_picture(image) for image in images])
    if at is not None:
        query = search.of_person_at(*_person_at(search.config, at))
    return replace(query, **described(upper, lower, age))


def _person_at(config: StoreConfig, text: str) -> tuple[str, int, tuple[float, float]]:
    try:
        camera, time, x, y = text.split(",")
        return camera, _time_us(config, time), (float(x), float(y))
    except ValueError as error:
        raise ValueError(f"--at {text}: write CAMERA,TIME,X,Y as west,2025-03-14T10:00:20,412,260 ({error})") from None


def _time_us(config: StoreConfig, text: str) -> int:
    """A moment in the store's time zone, or with its own offset, in UTC microseconds."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=config.zone_info)
    return round(moment.timestamp() * 1e6)


def _write_crops(search: PersonSearch, found: list[Candidate], folder: Path) -> None:
    from flows.crop_files import write_crop

    names = [candidate.name for candidate in found]
    for number, (name, crop) in enumerate(zip(names, search.crops(names), strict=True), start=1):
        said = write_crop(crop, folder, f"{number:03}", name)
        if isinstance(crop, str):
            out.print(f"{name}: {said}", soft_wrap=True, markup=False)


def _print(search: PersonSearch, query: Query, found: list[Candidate], as_json: bool) -> None:
    path, last = search.path(query.confirmed) if query.confirmed else (None, None)
    places = search.last_seen_each([one.name for one in found])
    if as_json:
        rows = [_plain(one) | {"place": places[one.name].__dict__} for one in found]
        seen = None if last is None else last.__dict__ | {"path": [] if path is None else path.to_dict("records")}
        out.print_json(json.dumps({"candidates": rows, "last_seen": seen}))
        return
    for number, one in enumerate(found, start=1):
        start = datetime.fromtimestamp(one.start_us / 1e6, UTC).astimezone(search.config.zone_info)
        height = "" if one.height_m is None else f", {one.height_m:.2f} m tall"
        alike = "" if one.similarity is None else f", cosine {one.similarity:.2f}"
        line = (
            f"{number:3}  {one.name}  {start:%H:%M:%S}  {one.likelihood:4.0%}{alike}{height}  {places[one.name].place}"
        )
        out.print(line, soft_wrap=True, markup=False)
    if last is not None:
        moment = datetime.fromtimestamp(last.time_us / 1e6, UTC).astimezone(search.config.zone_info)
        out.print(f"last seen {moment:%H:%M:%S}, camera {last.camera}: {last.place}", soft_wrap=True, markup=False)


def _plain(one: Candidate) -> dict[str, Any]:
    return {
        "sighting": str(one.name),
        "camera": one.name.camera,
        "start": datetime.fromtimestamp(one.start_us / 1e6, UTC).isoformat(),
        "end": datetime.fromtimestamp(one.end_us / 1e6, UTC).isoformat(),
        "likelihood": one.likelihood,
        "cosine": one.similarity,
        "height_m": one.height_m,
        "child": one.child,
        "sightings": list(map(str, one.sightings)),
    }
