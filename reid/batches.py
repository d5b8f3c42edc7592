"""What a training run feeds: its pictures, their teachers' features, and the batch of every step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from reid.augment import Augmentation, augmented_map, network_input, resized
from reid.datasets import Pictures, at_most, joined, load_pictures, read_picture, split_identities
from reid.recipe import DataSource, Recipe
from reid.sampling import IdentitySampler, random_batch


@dataclass(frozen=True)
class TrainingData:
    """Labelled pictures first, unlabelled ones (identity -1) after them; `validation` shares no identity with them."""

    pictures: Pictures
    identities: int
    validation: Pictures | None


def load_training_data(recipe: Recipe) -> TrainingData:
    """Reads the recipe's lists of files and holds out identities for validation."""
    labelled, held_out = [], []
    for source in recipe.data:
        pictures = _load(source)
        if source.held_out:
            pictures, kept = split_identities(pictures, source.held_out, source.seed)
            held_out.append(kept)
        labelled.append(pictures)
    if recipe.validation is not None:
        held_out.append(_load(recipe.validation))
    train = joined(labelled)
    files, ids, cameras = list(train.files), [train.ids], [train.cameras]
    for source in recipe.unlabelled:
        pictures = _load(source)
        files += pictures.files
        ids.append(np.full(len(pictures), -1))
        cameras.append(pictures.cameras + max(int(part.max()) for part in cameras) + 1)
    everything = Pictures(recipe.name, tuple(files), np.concatenate(ids), np.concatenate(cameras))
    return TrainingData(everything, len(np.unique(train.ids)), joined(held_out) if held_out else None)


def _load(source: DataSource) -> Pictures:
    pictures = load_pictures(source.kind, source.root, source.part)
    if source.identities:
        pictures = pictures.where(np.isin(pictures.ids, np.unique(pictures.ids)[: source.identities]))
    return at_most(pictures, source.per_camera, source.seed) if source.per_camera else pictures


@dataclass(frozen=True)
class Step:
    """One batch: pictures or maps float32 (B, C, H, W), identities int64 (B,), and which pictures they are (B,)."""

    values: torch.Tensor
    ids: torch.Tensor
    places: torch.Tensor


def repeated(pictures: Pictures, views: int) -> Pictures:
    """The list `views` times over: picture k as the v-th view has the index v * N + k."""
    return Pictures(
        pictures.name, pictures.files * views, np.tile(pictures.ids, views), np.tile(pictures.cameras, views)
    )


def view_inputs(recipe: Recipe, pictures: Pictures) -> Callable[[int], NDArray[np.float32]]:
    """Network input of each index of `repeated` pictures, before a frozen trunk.

    The first view of a picture is mirrored at random and otherwise as it is; the further ones are augmented by the
    recipe, except for erasing, which maps get at every step.
    """
    count, size = len(pictures), recipe.network.image_size
    first = Augmentation(flip=recipe.augmentation.flip, crop=0, erase=0)
    further = dataclasses.replace(recipe.augmentation, erase=0)

    def view(index: int) -> NDArray[np.float32]:
        number, place = divmod(index, count)
        random = np.random.default_rng([recipe.seed, 4, number, place])
        image = read_picture(pictures.files[place])
        if not number:
            return first(image, size, random)
        return further(image, size, random, read_picture(pictures.files[random.integers(count)]))

    return view


class Batches(Dataset[Step]):
    """Item k is the batch of step k: what is in it and how it looks depend on seed, step and rank alone."""

    def __init__(self, recipe: Recipe, data: TrainingData, maps: NDArray[np.float16] | None, rank: int = 0) -> None:
        self.recipe, self.data, self.maps, self.rank = recipe, data, maps, rank
        ids = data.pictures.ids
        batch = recipe.batch
        self.sampler = (
            IdentitySampler(
                ids, data.pictures.cameras, batch.identities, batch.pictures_each, recipe.seed + 7919 * rank
            )
            if batch.identities
            else None
        )
        self.unlabelled = np.flatnonzero(ids < 0)

    @property
    def steps_per_epoch(self) -> int:
        """Steps until each identity has been seen once."""
        return (
            self.sampler.steps_per_epoch
            if self.sampler
            else max(1, len(self.unlabelled) // max(1, self.recipe.batch.unlabelled))
        )

    def places(self, step: int) -> NDArray[np.int64]:
        """Indices of the step's pictures."""
        parts = [self.sampler.batch(step)] if self.sampler else []
        if self.recipe.batch.unlabelled:
            drawn = random_batch(len(self.unlabelled), self.recipe.batch.unlabelled, self.recipe.seed + self.rank, step)
            parts.append(self.unlabelled[drawn])
        return np.concatenate(parts)

    def __getitem__(self, step: int) -> Step:
        places = self.places(step)
        values = np.stack([self._values(place, step, position, places) for position, place in enumerate(places)])
        return Step(
            torch.from_numpy(values), torch.from_numpy(self.data.pictures.ids[places]), torch.from_numpy(places)
        )

    def _values(self, place: int, step: int, position: int, places: NDArray[np.int64]) -> NDArray[np.float32]:
        random = np.random.default_rng([self.recipe.seed, 3, self.rank, step, position])
        settings = self.recipe.augmentation
        if self.maps is not None:
            return augmented_map(self.maps[place], self.recipe.map_shift, settings.erase, random)
        files = self.data.pictures.files
        other = read_picture(files[places[random.integers(len(places))]]) if settings.occlude else None
        return settings(read_picture(files[place]), self.recipe.network.image_size, random, other)


def steps_from(batches: Batches, first: int, last: int, workers: int) -> Iterator[Step]:
    """The batches of steps first..last-1 in order, read ahead by worker processes where there are any."""
    yield from DataLoader(batches, batch_size=None, sampler=range(first, last), num_workers=workers)


def plain_inputs(files: tuple[Path, ...], size: tuple[int, int], chunk: int = 32) -> Iterator[torch.Tensor]:
    """Unchanged pictures as network input, `chunk` at a time."""
    for start in range(0, len(files), chunk):
        yield torch.from_numpy(
            np.stack([network_input(resized(read_picture(file), size)) for file in files[start : start + chunk]])
        )
