"""Loaders on small folders made here, in each set's own layout."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from reid.cuhk03 import new_protocol
from reid.datasets import (
    DatasetError,
    at_most,
    folder,
    joined,
    load_evaluation,
    load_pictures,
    split_identities,
)
from tests.reid.pictures import made_up_person, write_people


def write(path, identity=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), made_up_person(identity, 1, 0))


def test_market1501_reads_names_keeps_distractors_and_drops_junk_from_training(tmp_path):
    for name in ("0002_c1s1_000451_03.jpg", "0002_c6s3_000001_01.jpg", "-1_c1s1_000001_00.jpg"):
        write(tmp_path / "bounding_box_train" / name)
        write(tmp_path / "bounding_box_test" / name)
    write(tmp_path / "bounding_box_test" / "0000_c2s1_000001_00.jpg")
    write(tmp_path / "query" / "0002_c2s1_000001_00.jpg")
    train = load_pictures("market1501", tmp_path, "train")
    assert sorted(zip(train.ids.tolist(), train.cameras.tolist(), strict=True)) == [(2, 1), (2, 6)]
    gallery = load_evaluation("market1501", tmp_path).gallery
    assert sorted(gallery.ids.tolist()) == [-1, 0, 2, 2]


def test_msmt17_reads_its_lists(tmp_path):
    lists = {
        "list_train.txt": "0000/0000_000_01_0303morning_0015_0.jpg 0",
        "list_val.txt": "0001/0001_004_15_0303noon_0015_0.jpg 1",
        "list_query.txt": "0003/0003_000_12_x_0.jpg 3",
        "list_gallery.txt": "0003/0003_001_02_x_0.jpg 3",
    }
    for name, line in lists.items():
        (tmp_path / name).write_text(line + "\n")
    train = load_pictures("msmt17", tmp_path, "train")
    assert train.ids.tolist() == [0, 1] and train.cameras.tolist() == [1, 15]
    assert train.files[0] == tmp_path / "train" / "0000/0000_000_01_0303morning_0015_0.jpg"
    assert load_pictures("msmt17", tmp_path, "query").files[0].parent.parent.name == "test"


def test_cuhk03_release_is_unpacked_once_and_read_by_both_protocols(tmp_path):
    h5py = pytest.importorskip("h5py")
    from scipy.io import savemat

    release = tmp_path / "cuhk03_release"
    release.mkdir()
    reference = h5py.special_dtype(ref=h5py.Reference)
    with h5py.File(release / "cuhk-03.mat", "w") as mat:
        pair = mat.create_dataset("pair", (10, 3), dtype=reference)
        empty = mat.create_dataset("empty", data=np.zeros(2, dtype=np.uint64))
        for person in range(3):
            for place in range(10):
                image = made_up_person(person, place // 5, place)
                stored = mat.create_dataset(f"p{person}_{place}", data=image.transpose(2, 1, 0))
                pair[place, person] = stored.ref if place % 5 < 2 else empty.ref
        for boxes in ("detected", "labeled"):
            mat.create_dataset(boxes, (1, 1), dtype=reference)[0, 0] = pair.ref
        chosen = mat.create_dataset("chosen", data=np.array([[1.0], [2.0]]))
        mat.create_dataset("testsets", (1, 1), dtype=reference)[0, 0] = chosen.ref
    names = np.array(["1_001_1_01.png", "1_001_2_06.png", "1_003_1_01.png"], dtype=object)[:, None]
    savemat(
        release / "cuhk03_new_protocol_config_detected.mat",
        {
            "filelist": names,
            "labels": np.array([[1], [1], [3]]),
            "train_idx": [[3]],
            "query_idx": [[1]],
            "gallery_idx": [[2]],
        },
    )
    evaluation = load_evaluation("cuhk03", tmp_path, "detected")
    assert evaluation.query.files[0].name == "1_001_1_01.png" and evaluation.gallery.cameras.tolist() == [2]
    assert load_pictures("cuhk03", tmp_path, "detected-train").ids.tolist() == [3]
    unpacked = cv2.imread(str(evaluation.query.files[0]))[:, :, ::-1]
    np.testing.assert_array_equal(unpacked, made_up_person(0, 0, 0))
    classic = load_evaluation("cuhk03", tmp_path, "detected-classic")
    assert classic.rule == "single-gallery-shot" and len(classic.query) == 4 and set(classic.query.ids) == {1}
    assert set(load_pictures("cuhk03", tmp_path, "detected-classic-train").ids) == {0, 2}
    with pytest.raises(DatasetError, match="unknown part"):
        load_pictures("cuhk03", tmp_path, "query")
    with pytest.raises(DatasetError, match=r"no cuhk-03\.mat"):
        load_pictures("cuhk03", tmp_path / "elsewhere", "detected-train")


@pytest.mark.parametrize(("boxes", "sizes"), [("labeled", (7368, 1400, 5328)), ("detected", (7365, 1400, 5332))])
def test_cuhk03_new_protocol_has_the_published_sizes(shared, boxes, sizes):
    config = shared / "data" / "reid" / "protocols" / f"cuhk03_new_protocol_config_{boxes}.mat"
    parts = [new_protocol(config, role) for role in ("train", "query", "gallery")]
    assert tuple(len(names) for names, _ in parts) == sizes
    assert [len(set(ids)) for _, ids in parts] == [767, 700, 700]
    assert not set(parts[0][1]) & set(parts[1][1])
    assert all(name.split("_")[2] in "12" for name in parts[1][0])


def test_development_sets_have_their_sizes(shared):
    reid = shared / "data" / "reid"
    train, val = (load_pictures("cuhk03_p1", reid / "cuhk03_p1", part) for part in ("train", "val"))
    assert len(train) + len(val) == 7239 and train.ids.max() == 642 and set(val.ids) == set(range(643, 743))
    evaluation = load_evaluation("pku_reid", reid / "pku_reid")
    assert len(evaluation.query) + len(evaluation.gallery) == 1184
    assert len(set(evaluation.query.ids)) == 74 and set(evaluation.query.cameras) == {1}
    crops = shared / "data" / "crops_dev"
    everyone, children, alike = (
        load_evaluation("rendered", crops, variant) for variant in ("all", "children", "look-alikes")
    )
    assert len(set(everyone.query.ids)) == 240 and len(set(children.query.ids)) == 29
    assert alike.same_group_only and 0 < len(alike.query) < len(everyone.query)


def test_a_folder_is_read_in_both_layouts(tmp_path):
    flat = folder(write_people(tmp_path / "flat", 3))
    assert len(flat) == 12 and set(flat.cameras) == {1, 2} and len(set(flat.ids)) == 3
    write(tmp_path / "nested" / "anna" / "morning_c3_01.png")
    write(tmp_path / "nested" / "ben" / "c4.png")
    nested = folder(tmp_path / "nested")
    assert nested.cameras.tolist() == [3, 4] and nested.ids.tolist() == [0, 1]
    write(tmp_path / "nested" / "ben" / "front.png")
    with pytest.raises(DatasetError, match="names no camera"):
        folder(tmp_path / "nested")


def test_a_table_needs_its_columns_and_several_runs_do_not_share_identities(tmp_path):
    for run in ("a", "b"):
        write_people(tmp_path / run / "images", 2, takes=1)
        rows = [f"images/{i:04d}_c{c}_00.png,{i},{c},," for i in range(2) for c in (1, 2)]
        (tmp_path / run / "index.csv").write_text("\n".join(["file,id,camera,look_alike_group,age_group", *rows]))
    both = load_pictures("rendered", tmp_path, "all")
    assert len(set(both.ids)) == 4 and len(set(both.cameras)) == 4
    (tmp_path / "a" / "index.csv").write_text("file,id\nx,1\n")
    with pytest.raises(DatasetError, match="lacks the columns camera"):
        load_pictures("csv", tmp_path / "a", "all")


def test_held_out_identities_are_in_one_part_only(tmp_path):
    pictures = folder(write_people(tmp_path / "people", 8))
    rest, kept = split_identities(pictures, 3, seed=2)
    assert len(set(kept.ids)) == 3 and len(set(rest.ids)) == 5 and not set(kept.ids) & set(rest.ids)
    assert len(rest) + len(kept) == len(pictures)
    assert split_identities(pictures, 3, seed=2)[1].files == kept.files
    with pytest.raises(DatasetError, match="hold out 8 of 8"):
        split_identities(pictures, 8)
    few = at_most(pictures, 1)
    assert len(few) == 16 and len(set(zip(few.ids.tolist(), few.cameras.tolist(), strict=True))) == 16
    assert len(set(joined([few, few]).ids)) == 16


def test_missing_files_are_said(tmp_path):
    with pytest.raises(DatasetError, match=r"no folder .*bounding_box_train"):
        load_pictures("market1501", tmp_path, "train")
    with pytest.raises(DatasetError, match="unknown part 'test': choose one of train, query, gallery"):
        load_pictures("market1501", tmp_path, "test")
    with pytest.raises(DatasetError, match=r"no .*list_train.txt"):
        load_pictures("msmt17", tmp_path, "train")
    with pytest.raises(DatasetError, match="unknown part 'imagenet'"):
        load_pictures("imagenet", tmp_path, "train")
