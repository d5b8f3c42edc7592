"""Training runs end to end on made-up people: they learn, repeat, and go on after a kill as if nothing had happened."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from torch import nn

from reid import weights
from reid.batches import load_training_data
from reid.frozen import Top, Trunk, frozen_names
from reid.network import build_network
from reid.recipe import RECIPES, RecipeError, load_recipe
from reid.schedule import TrainingError, make_optimizer, rate_factor
from reid.start import StartError, load_start
from reid.train import _Run, train
from tests.reid.pictures import write_people


def small(folder, **changes):
    return {
        "name": "small",
        "network": {"body": "osnet", "attention": "none", "image_size": [64, 32]},
        "start": None,
        "data": [{"kind": "folder", "root": str(folder), "part": "all", "held_out": 4}],
        "batch": {"identities": 4, "pictures_each": 2},
        "steps": 6,
        "validate_every": 3,
        "workers": 0,
        "optimizer": {"rate": 1e-3, "warmup": 0, "schedule": "cosine"},
        "threads": 1,
        "devices": 1,
        "augmentation": {"crop": 0, "erase": 0},
        **changes,
    }


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"), 12)


def curves(folder):
    with (folder / "curves.csv").open() as lines:
        return [(row["step"], row["loss"]) for row in csv.DictReader(lines)]


def test_a_killed_run_goes_on_as_if_it_had_not_been_killed(people, tmp_path, monkeypatch):
    whole = train(small(people, work=str(tmp_path / "whole")))
    assert weights.load(whole)[1].calibration["pairs"] > 0

    learn = _Run._learn

    def killed(run, batch):
        if run.step == 4:
            raise KeyboardInterrupt
        return learn(run, batch)

    parts = small(people, work=str(tmp_path / "parts"), checkpoint_minutes=0)
    monkeypatch.setattr(_Run, "_learn", killed)
    with pytest.raises(KeyboardInterrupt):
        train(parts)
    monkeypatch.undo()
    finished = train(parts)
    assert curves(tmp_path / "parts" / "small") == curves(tmp_path / "whole" / "small")
    first, second = (weights.load(folder)[0].state_dict() for folder in (whole, finished))
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(TrainingError, match="another recipe"):
        train(parts, steps=7)


def test_training_lowers_the_loss_with_teachers_and_unlabelled_pictures(people, tmp_path, monkeypatch):
    def teacher(model, files, *_):
        values = np.random.default_rng(0).normal(size=(len(files), 256)).astype(np.float32)
        return values / np.linalg.norm(values, axis=1, keepdims=True)

    monkeypatch.setattr("reid.train.teacher_features", teacher)
    entries = small(
        people,
        work=str(tmp_path),
        steps=12,
        teachers=["made-up.xml"],
        unlabelled=[{"kind": "unlabelled", "root": str(people), "part": "all"}],
        batch={"identities": 4, "pictures_each": 2, "unlabelled": 4},
        losses={"classifier": 0, "triplet": 0, "cosine_classifier": 1, "distil_features": 0.01},
        average_decay=0.5,
        validate_every=12,
    )
    entries["optimizer"]["rate"] = 3e-3
    train(entries)
    with (tmp_path / "small" / "curves.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert all(0 < float(row["distil_features"]) < 0.03 for row in rows)
    losses = [float(row["cosine_classifier"]) for row in rows]
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])


def test_the_frozen_part_stays_and_the_rest_learns(people, tmp_path):
    entries = small(
        people,
        work=str(tmp_path),
        frozen_stages=2,
        steps=2,
        network={"body": "osnet", "attention": "rgasc", "image_size": [128, 112]},
    )
    run = _Run(load_recipe(entries), _fabric())
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    run.fit()
    changed = {name for name, value in run.network.named_parameters() if not torch.equal(before[name], value)}
    frozen = set(frozen_names(run.network, 2))
    assert not changed & frozen
    assert any("stage3" in name for name in changed) and any("rga_att2" in name for name in changed)
    assert any("backbone.stage2" in name for name in frozen) and any("rga_att1" in name for name in frozen)


def _fabric():
    from lightning.fabric import Fabric

    return Fabric(accelerator="cpu", devices=1)


def test_trunk_and_top_are_the_whole_network():
    network = build_network("osnet", "none", (64, 32)).eval()
    pictures = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        torch.testing.assert_close(Top(network, 2)(Trunk(network, 2)(pictures)).f, network(pictures).f)
        torch.testing.assert_close(Top(network, 0)(pictures).f_bn, network(pictures).f_bn)


def test_interpolation_zero_gives_back_the_start(people, tmp_path):
    run = _Run(load_recipe(small(people, work=str(tmp_path), steps=1, interpolation=0.0)), _fabric())
    run.fit()
    state = run.result().state_dict()
    assert all(torch.allclose(state[name], run.start[name]) for name in state if state[name].is_floating_point())


def test_body_attention_and_what_is_new_have_a_rate_each():
    network = build_network("osnet", "rgas", (128, 112), num_classes=5)
    recipe = load_recipe(small("", optimizer={"rate": 0.1, "body_factor": 0.5, "attention_factor": 4}))
    groups = make_optimizer(nn.ModuleDict({"network": network}), recipe).param_groups
    rates = {id(value): group["lr"] for group in groups for value in group["params"]}
    found: dict[str, set[float]] = {"attention": set(), "body": set(), "new": set()}
    for name, value in network.named_parameters():
        part = "attention" if "rga_att" in name else "body" if name.startswith(("backbone.", "head.")) else "new"
        if value.requires_grad:
            found[part].add(rates[id(value)])
    assert found == {"attention": {0.4}, "body": {0.05}, "new": {0.1}}


def test_gates_start_where_the_recipe_says(people, tmp_path):
    network = {"body": "resnet18", "attention": "rgas", "image_size": [128, 112]}
    for given, expected in ((None, 0.0), (3.0, 3.0)):
        entries = small(people, network={**network, "gate_bias": given}, work=str(tmp_path / str(given)))
        state = _Run(load_recipe(entries), _fabric()).network.state_dict()
        assert state["backbone.rga_att2.W_spatial.4.bias"].item() == expected


def test_the_papers_rate_warms_up_and_is_halved():
    recipe = load_recipe("rgasc-resnet50-market1501")
    rates = [recipe.optimizer.rate * rate_factor(recipe, epoch, 1, 600) for epoch in (0, 10, 20, 79, 80, 120, 599)]
    np.testing.assert_allclose(rates, [8e-6, 4.04e-4, 8e-4, 8e-4, 4e-4, 2e-4, 8e-4 / 2**8])


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.yaml")))
def test_every_recipe_reads_and_builds(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    build_network(recipe.network.body, recipe.network.attention, recipe.network.image_size)


def test_mistakes_in_a_recipe_are_all_said_at_once():
    with pytest.raises(RecipeError) as caught:
        load_recipe({"name": "x", "colour": 1, "optimizer": {"rates": 1, "rate": "fast"}})
    for part in ("colour: unknown", "optimizer.rates: unknown", "optimizer.rate: expected a number", "data: missing"):
        assert part in str(caught.value)
    with pytest.raises(FileNotFoundError, match="rga-store"):
        load_recipe("no-such-recipe")


def test_a_start_that_does_not_fit_is_refused_with_the_list(tmp_path):
    network = build_network("osnet", "none", (64, 32))
    state = network.state_dict()
    state["backbone.extra"] = torch.zeros(1)
    del state["head.linear.bias"]
    torch.save(state, tmp_path / "start.pt")
    with pytest.raises(StartError, match=r"missing \['head.linear.bias'\], unknown \['backbone.extra'\]"):
        load_start(network, str(tmp_path / "start.pt"))
    with pytest.raises(FileNotFoundError):
        load_start(network, str(tmp_path / "nothing.pt"))


@pytest.mark.parametrize("body", ["resnet50", "resnet18", "mobilenet_v2"])
def test_imagenet_weights_are_torchvisions(body, monkeypatch):
    """What torchvision would download is stood in for by a network of its own with fresh weights."""
    import torchvision

    build = getattr(torchvision.models, body)
    theirs = build(weights=None)
    monkeypatch.setattr(torchvision.models, body, lambda weights: theirs)
    network = build_network(body, "rgasc", (128, 112))
    load_start(network, "imagenet")
    own = network.state_dict()
    loaded = {name for name in theirs.state_dict() if f"backbone.{name}" in own}
    assert {name.split(".")[0] for name in set(theirs.state_dict()) - loaded} <= {"fc", "classifier"}
    assert all(torch.equal(own[f"backbone.{name}"], theirs.state_dict()[name]) for name in loaded)


def test_validation_shares_no_identity_with_training(people):
    data = load_training_data(load_recipe(small(people)))
    names = {file.name.split("_")[0] for file in data.pictures.files}
    assert not names & {file.name.split("_")[0] for file in data.validation.files}
    assert data.identities == 8


def test_a_source_may_be_cut_to_its_first_identities(people):
    source = {"kind": "folder", "root": str(people), "part": "all", "identities": 5}
    data = load_training_data(load_recipe(small(people, data=[source])))
    names = sorted({file.name.split("_")[0] for file in data.pictures.files})
    every = sorted({file.name.split("_")[0] for file in people.rglob("*.*")})
    assert names == every[:5] and data.identities == 5
