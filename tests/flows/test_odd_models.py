"""Models as a store names them: beside store.yaml, half fetched, misspelt; and how sure the threshold is."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from flows.cli_models import read_crops
from reid.weights_config import SHIPPED, read_config
from tests.flows.painted import PaintedDetector, PaintedStore

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 12345\n"


@pytest.fixture
def own_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PaintedStore:
    """A painted store whose re-identification weights are the real ones, in a folder beside store.yaml."""
    monkeypatch.setattr("flows.chunks._load_detector", lambda *_: PaintedDetector())
    shutil.copytree(SHIPPED / "rga-store", tmp_path / "mine" / "rga-store")
    shop = PaintedStore(tmp_path)
    shop.data["reid"] = {"model": "mine/rga-store"}
    shop.clip([], 1)
    return shop


@pytest.mark.case("deep-person-reid 483, VersReID 1")
def test_check_shows_the_threshold_with_its_confidence(own_weights, capfd):
    assert own_weights.command("check", str(own_weights.file)) == 0
    told = " ".join(capfd.readouterr().out.split())
    fitted = read_config(SHIPPED / "rga-store").calibration
    even = -fitted["offset"] / fitted["slope"]
    assert f"as likely one person as two at cosine {even:.2f} (fitted with the weights)" in told
    found = f"from {fitted['threshold']:.2f} on, {fitted['tpr']:.0%} of one person's pairs are found"
    assert f"{found} and 1% of other pairs taken for one" in told
    own_weights.data["reid"]["threshold"] = 0.5
    assert own_weights.command("check", str(own_weights.file)) == 0
    assert "at cosine 0.50 (set in store.yaml)" in " ".join(capfd.readouterr().out.split())


@pytest.mark.case("deep-person-reid 483, VersReID 1")
def test_pictures_from_files_are_rgb(tmp_path):
    red = np.zeros((40, 20, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes blue first
    cv2.imwrite(str(tmp_path / "red.png"), red)
    assert read_crops(tmp_path)[0][0, 0].tolist() == [255, 0, 0]


@pytest.mark.case("sibling: a threshold typed in percent")
def test_a_threshold_that_is_no_cosine_is_refused(own_weights, capfd):
    own_weights.data["reid"]["threshold"] = 60
    assert own_weights.command("check", str(own_weights.file)) == 2
    assert "reid.threshold: input should be less than or equal to 1; it is 60" in capfd.readouterr().err


@pytest.mark.case("sibling: weights beside store.yaml, the job started elsewhere")
def test_a_models_path_is_relative_to_the_store_file(own_weights, capfd, monkeypatch):
    monkeypatch.chdir("/")
    assert own_weights.command("check", str(own_weights.file)) == 0
    assert "present" in capfd.readouterr().out


def pointer(folder: Path) -> None:
    (folder / "rga-store.safetensors").write_text(POINTER)
    for file in folder.glob("*int8*"):
        file.unlink()


def no_bin(folder: Path) -> None:
    (folder / "rga-store-int8.bin").unlink()


def half(folder: Path) -> None:
    file = folder / "rga-store-int8.bin"
    file.write_bytes(file.read_bytes()[:1000])


def gone(folder: Path) -> None:
    shutil.rmtree(folder)


@pytest.mark.case("sibling: large files that were not, or half, fetched")
@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (pointer, "is not the file that config.json describes"),
        (no_bin, "lacks its rga-store-int8.bin: fetch the repository's large files again"),
        (half, "is not the file that rga-store-int8.json describes: fetch it, or export it, again"),
        (gone, "no re-identification weights 'mine/rga-store': use one of rga-research, rga-store"),
    ],
)
def test_weights_that_are_not_whole_are_refused_before_the_night(own_weights, capfd, spoil, told):
    spoil(own_weights.folder / "mine" / "rga-store")
    assert own_weights.command("check", str(own_weights.file)) == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1 and "reid.model" in lines[0] and told in lines[0]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.case("sibling: a machine that was to have a GPU")
def test_a_gpu_that_is_not_there_is_told_before_the_night(own_weights, capfd):
    own_weights.data["reid"]["device"] = "cuda"
    assert own_weights.command("check", str(own_weights.file)) == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1 and "device cuda: torch" in lines[0] and "finds no GPU here" in lines[0]
