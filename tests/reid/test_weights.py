from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from reid import weights
from reid.network import build_network
from reid.weights_config import WeightsError

SIZE = (64, 32)


def small_network(**options):
    torch.manual_seed(3)
    return build_network("resnet18", "rgac", SIZE, **options).eval()


@pytest.fixture
def folder(tmp_path):
    target = tmp_path / "small"
    weights.save(small_network(num_classes=4), target, licence="test", restricted=False, calibration={"threshold": 0.5})
    return target


def test_what_was_saved_comes_back_in_half_precision(folder):
    network, config = weights.load(folder)
    expected = {name: value for name, value in small_network().state_dict().items()}
    assert (config.body, config.attention, config.image_size) == ("resnet18", "rgac", SIZE)
    assert not network.training and network.cls is None
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-6)
    stored = load_file(folder / "small.safetensors")
    assert stored["backbone.conv1.weight"].dtype == torch.float16
    assert stored["backbone.bn1.running_var"].dtype == torch.float32


@pytest.mark.case("Relation-Aware-Global-Attention-Networks 9, 13, 4, PR 17")
def test_keys_that_do_not_fit_are_all_listed_and_nothing_is_loaded():
    network = small_network(num_classes=4)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = {name: value + 1 for name, value in before.items()}
    del state["backbone.conv1.weight"]
    state["backbone.layer9.weight"] = torch.zeros(1)
    state["cls.weight"] = torch.zeros(5, 512)
    with pytest.raises(WeightsError) as refused:
        weights.load_state(network, state)
    for part in ("1 missing: backbone.conv1.weight", "backbone.layer9.weight", "cls.weight (5, 512) where (4, 512)"):
        assert part in str(refused.value)
    torch.testing.assert_close(network.state_dict(), before)


@pytest.mark.case("Relation-Aware-Global-Attention-Networks 9, 13, 4, PR 17")
def test_num_batches_tracked_alone_may_be_missing():
    network = small_network()
    state = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    weights.load_state(network, state)
    del state["feat_bn.running_mean"]
    with pytest.raises(WeightsError, match=r"feat_bn\.running_mean"):
        weights.load_state(network, state)


@pytest.mark.case("sibling: a checkpoint saved out of DataParallel")
@pytest.mark.parametrize("prefix", ["", "module."])
def test_checkpoints_of_the_authors_layout_open(tmp_path, prefix):
    network = small_network(num_classes=4)
    state = {prefix + name: value for name, value in network.state_dict().items()}
    optimizer = torch.optim.Adam(network.parameters()).state_dict()
    content = {"state_dict": state, "epoch": 600, "best_top1": np.float64(0.8), "optimizer": optimizer}
    torch.save(content, tmp_path / "checkpoint_600.pth.tar")
    weights.load_state(network, weights.read_state(tmp_path / "checkpoint_600.pth.tar"))


class Foreign:
    def __reduce__(self):
        return os.mkdir, (os.environ["FOREIGN_FOLDER"],)


@pytest.mark.case("boxmot 2122, deep-person-reid 440")
def test_a_pickle_with_code_in_it_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("FOREIGN_FOLDER", str(tmp_path / "ran"))
    torch.save({"state_dict": {"a": torch.zeros(1)}, "extra": Foreign()}, tmp_path / "bad.pth")
    with pytest.raises(WeightsError, match="save_file"):
        weights.read_state(tmp_path / "bad.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.case("boxmot 2122, deep-person-reid 440")
def test_an_unpacked_checkpoint_is_refused_with_the_safe_way(tmp_path):
    (tmp_path / "data.pkl").write_bytes(pickle.dumps({"a": 1}))
    for path in (tmp_path / "data.pkl", tmp_path):
        with pytest.raises(WeightsError, match=r"unpacked checkpoint.*save_file"):
            weights.read_state(path)


@pytest.mark.parametrize("name", ["broken.pth", "broken.safetensors"])
def test_damaged_files_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x02 no weights at all")
    with pytest.raises(WeightsError, match="broken"):
        weights.read_state(tmp_path / name)


def test_a_pickle_without_tensors_is_no_state_dict(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="no state dict"):
        weights.read_state(tmp_path / "other.pth")


def test_a_changed_file_is_refused(folder):
    path = folder / "small.safetensors"
    state = load_file(path)
    state["backbone.conv1.weight"] *= 2
    save_file(state, path)
    with pytest.raises(WeightsError, match=r"not the file that config\.json describes"):
        weights.load(folder)


@pytest.mark.case("Relation-Aware-Global-Attention-Networks 9, 13, 4, PR 17")
def test_another_answer_is_refused(folder):
    path = folder / "config.json"
    values = json.loads(path.read_text())
    values["mean"] = [0.5, 0.5, 0.9]
    path.write_text(json.dumps(values))
    with pytest.raises(WeightsError, match="answers a known picture"):
        weights.load(folder)


def test_a_config_with_an_unknown_field_is_refused(folder):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "colour": 1}))
    with pytest.raises(WeightsError, match="colour"):
        weights.load(folder)


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(WeightsError, match="use one of"):
        weights.load("rga-nonsense")


@pytest.mark.case("sibling: weights that hold values beyond half precision")
def test_values_that_are_not_finite_are_not_saved(tmp_path):
    network = small_network()
    with torch.no_grad():
        network.backbone.conv1.weight[0, 0, 0, 0] = 1e6
    with pytest.raises(WeightsError, match=r"backbone\.conv1\.weight"):
        weights.save(network, tmp_path / "bad", licence="", restricted=False, calibration={})
