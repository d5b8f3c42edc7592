"""Rendered people: reid.rendering."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from flows.cli import app, main
from reid.datasets import read_picture, rendered, write_picture
from reid.rendering.bodies import SOLE_M, Bodies
from reid.rendering.crops import FEW_PLACES, Studio, Variety, contact_sheet, write_crops
from reid.rendering.figures import random_figure
from reid.rendering.people import Cast
from reid.rendering.places import Place, random_light
from reid.rendering.renderer import RenderingError
from reid.rendering.surfaces import SIZE, cloth, noise, surface
from reid.rendering.views import View, box, jittered, visible_share


@pytest.fixture(scope="module")
def bodies() -> Bodies:
    return Bodies()


@pytest.fixture(scope="module")
def studio() -> Studio:
    pytest.importorskip("moderngl", reason="rendering needs moderngl")
    try:
        return Studio((128, 64), seed=1, first=0, variety=Variety())
    except RenderingError as error:
        pytest.skip(str(error))


def test_people_stand_on_their_soles_at_their_own_height(bodies: Bodies) -> None:
    cast = Cast(3, 30, bodies)
    for number in range(30):
        person = cast[number]
        figure = random_figure(np.random.default_rng(number), bodies, person, (0.0, 0.0))
        height = figure.vertices[: bodies.vertices, 2]
        assert height.max() == pytest.approx(person.height_m, abs=1e-4)
        assert 0 < height.min() < 2 * SOLE_M
        length = np.linalg.norm(figure.normals[: bodies.vertices], axis=1)
        assert (np.abs(length - 1) < 1e-3).mean() > 0.99  # a few helper vertices belong to no face
    children = [cast[number].height_m for number in range(30) if cast[number].child]
    assert children and max(children) < 1.75


def test_look_alikes_wear_the_same_in_bodies_of_their_own(bodies: Bodies) -> None:
    cast = Cast(3, 60, bodies)
    people = [cast[number] for number in range(60)]
    groups = {person.group for person in people} - {""}
    assert 5 <= len(groups) <= 20
    for group in groups:
        members = [person for person in people if person.group == group]
        assert len(members) > 1
        assert all(np.array_equal(person.clothes.top, members[0].clothes.top) for person in members)
        assert len({(person.body, person.seed) for person in members}) == len(members)
    alone = [person.clothes.top.tobytes() for person in people if not person.group]
    assert len(set(alone)) == len(alone)


def test_a_person_is_the_same_whenever_asked_for(bodies: Bodies) -> None:
    first, again = (Cast(7, 20, bodies)[11] for _ in range(2))
    assert (first.body, first.height_m, first.gait, first.seed) == (again.body, again.height_m, again.gait, again.seed)
    assert np.array_equal(first.clothes.bottom, again.clothes.bottom)


def test_materials_tile_and_differ() -> None:
    random = np.random.default_rng(0)
    for cells in (3, 6, 24):
        bumps = noise(random, cells)
        assert bumps.shape == (SIZE, SIZE)
        across = np.abs(bumps[:, 0] - bumps[:, -1]).mean()
        within = np.abs(np.diff(bumps, axis=1)).mean()
        assert across < 2 * within
    for make in (cloth, surface):
        pictures = [make(random) for _ in range(40)]
        assert all(picture.shape == (SIZE, SIZE, 3) and picture.dtype == np.uint8 for picture in pictures)
        assert np.std([picture.mean(axis=(0, 1)) for picture in pictures], axis=0).min() > 20


def test_the_box_fits_what_is_drawn(studio: Studio, bodies: Bodies) -> None:
    """The identity buffer of a person alone, drawn into his box, touches all four sides of it."""
    cast = Cast(5, 12, bodies)
    for number in range(12):
        random = np.random.default_rng(number)
        person = cast[number]
        light = random_light(random)
        place = Place(number, (), (0.3, -5.0, 2.8), 0.02, np.zeros(3), light)
        figure = random_figure(random, bodies, person, (0.0, 0.0))
        view = View(place, (0.0, 0.0, person.height_m / 2))
        window = box(bodies, view, figure)
        _, whose = studio.renderer.draw(place, view, window, [figure], (192, 96), random)
        rows, columns = np.flatnonzero((whose == 1).any(axis=1)), np.flatnonzero((whose == 1).any(axis=0))
        assert rows[0] < 12 and rows[-1] > 180  # hidden helper vertices reach a little beyond hair and shoes
        assert columns[0] < 16 and columns[-1] > 80
        assert visible_share(bodies, figure, 1, view, window, whose) > 0.35  # the back of a body does not show


def test_somebody_in_front_hides_what_is_behind(studio: Studio, bodies: Bodies) -> None:
    cast, random = Cast(5, 2, bodies), np.random.default_rng(0)
    place = Place(0, (), (0.0, -5.0, 1.0), 0.0, np.zeros(3), random_light(random, varied=False))
    person = random_figure(random, bodies, cast[0], (0.0, 0.0))
    other = random_figure(random, bodies, cast[1], (0.0, -0.8))
    view = View(place, (0.0, 0.0, cast[0].height_m / 2))
    window = box(bodies, view, person)
    shares = []
    for figures in ([person], [person, other]):
        _, whose = studio.renderer.draw(place, view, window, figures, (192, 96), random)
        shares.append(visible_share(bodies, person, 1, view, window, whose))
    assert shares[1] < 0.5 * shares[0]


def test_boxes_are_shifted_and_scaled_by_a_tenth() -> None:
    random = np.random.default_rng(0)
    boxes = np.array([jittered((0.0, 0.0, 1.0, 2.0), random) for _ in range(400)])
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert 0.92 < width.min() and width.max() < 1.14
    assert 0.03 < (height < 1.8).mean() < 0.2  # these end above the feet
    assert np.abs((boxes[:, 0] + boxes[:, 2]) / 2 - 0.5).max() < 0.051


def test_crops_are_the_same_with_any_number_of_processes(studio: Studio, tmp_path: Path) -> None:
    for processes in (1, 2):
        count = write_crops(tmp_path / str(processes), 21, 2, size=(64, 32), seed=4, processes=processes)
        assert count == 42
    first, second = (rendered(tmp_path / str(processes)) for processes in (1, 2))
    assert [file.name for file in first.files] == [file.name for file in second.files]
    assert len(np.unique(first.ids)) == 21 and len(np.unique(first.cameras)) == 42
    for one, other in zip(first.files, second.files, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert read_picture(first.files[0]).shape == (64, 32, 3)
    sheet = contact_sheet(tmp_path / "1", people=5)
    assert sheet.shape == (5 * 64, 2 * 32, 3) and sheet.std() > 20


def test_without_places_eight_cameras_see_everyone(studio: Studio, tmp_path: Path) -> None:
    write_crops(tmp_path, 6, 4, size=(64, 32), variety=Variety.without(["places"]))
    assert rendered(tmp_path).cameras.max() < FEW_PLACES


def test_the_command_names_what_can_be_left_out(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["reid", "render", str(tmp_path / "crops"), "--without", "hats"])
    assert result.exit_code != 0
    assert "no variety is called hats" in result.output + str(result.exception)
    assert not (tmp_path / "crops").exists()


def test_the_command_renders_and_draws_a_sheet(studio: Studio, tmp_path: Path) -> None:
    command = ["reid", "render", str(tmp_path / "crops"), "--people", "3", "--each", "2", "--sheet"]
    result = CliRunner().invoke(app, [*command, str(tmp_path / "sheet.png")])
    assert result.exit_code == 0, result.output
    assert "6 crops of 3 people" in result.output
    assert read_picture(tmp_path / "sheet.png").shape == (3 * 256, 2 * 128, 3)


def test_without_opengl_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    moderngl = pytest.importorskip("moderngl")

    def refuse(**_: object) -> None:
        raise Exception("libEGL.so not found in /lib")

    monkeypatch.setattr(moderngl, "create_context", refuse)
    with pytest.raises(RenderingError, match="apt-get install libegl1"):
        Studio((64, 32), seed=0, first=0, variety=Variety())


def test_a_crop_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    for path in (tmp_path / "missing" / "crop.jpg", tmp_path / "crop.what"):
        with pytest.raises(OSError, match=r"does its folder exist, and does it end in \.png or \.jpg"):
            write_picture(path, picture)


def test_missing_opengl_is_one_line_at_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise RenderingError("rendering people needs moderngl: pip install 'aisleflow[render]'")

    monkeypatch.setattr("reid.rendering.crops.write_crops", refuse)
    with pytest.raises(SystemExit) as stopped:
        main(["reid", "render", str(tmp_path / "crops")])
    assert stopped.value.code == 1
    told = capsys.readouterr().err
    assert "pip install 'aisleflow[render]'" in told and "Traceback" not in told
