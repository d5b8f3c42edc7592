"""Which pictures make a batch: P identities with K pictures each, a pure function of seed and step.

No sampler state has to be saved: a run that was killed goes on at its step with the batches it would have had.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class IdentitySampler:
    """Batches of P identities x K pictures.

    Identities come in the order of one permutation an epoch, so that each is seen equally often. An identity's pictures
    are drawn from as many cameras as possible, without replacement where it has K, with replacement under K. Pictures
    with a negative identity are never drawn.

    Args:
        ids: int (N,).
        cameras: int (N,).
        identities: P.
        pictures_each: K.
        seed: Two samplers with the same seed and data give the same batches.

    Raises:
        ValueError: Fewer than P identities.
    """

    def __init__(
        self, ids: NDArray[np.integer], cameras: NDArray[np.integer], identities: int, pictures_each: int, seed: int
    ) -> None:
        self.identities, self.pictures_each, self.seed = identities, pictures_each, seed
        self.cameras = np.asarray(cameras)
        known = np.unique(ids[ids >= 0])
        if len(known) < identities:
            raise ValueError(
                f"a batch of {identities} identities needs at least as many in the data; there are "
                f"{len(known)}: lower batch.identities"
            )
        self.places = [np.flatnonzero(ids == identity) for identity in known]

    @property
    def steps_per_epoch(self) -> int:
        """Batches until every identity has been seen once."""
        return len(self.places) // self.identities

    def batch(self, step: int) -> NDArray[np.int64]:
        """Indices (P * K,) of the batch of a step, the K pictures of an identity side by side."""
        epoch, within = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self.seed, 0, epoch]).permutation(len(self.places))
        generator = np.random.default_rng([self.seed, 1, step])
        chosen = order[within * self.identities : (within + 1) * self.identities]
        return np.concatenate([self._draw(self.places[k], generator) for k in chosen])

    def _draw(self, places: NDArray[np.intp], generator: np.random.Generator) -> NDArray[np.int64]:
        places = generator.permutation(places)
        if len(places) < self.pictures_each:
            return np.concatenate([places, generator.choice(places, self.pictures_each - len(places))])
        # The n-th picture of each camera before the (n+1)-th of any: cameras take turns.
        turn = np.zeros(len(places), dtype=np.int64)
        for camera in np.unique(self.cameras[places]):
            own = self.cameras[places] == camera
            turn[own] = np.arange(own.sum())
        return places[np.argsort(turn, kind="stable")[: self.pictures_each]]


def random_batch(pictures: int, size: int, seed: int, step: int) -> NDArray[np.int64]:
    """`size` indices below `pictures` for a step, all different where there are enough."""
    generator = np.random.default_rng([seed, 2, step])
    return generator.choice(pictures, size, replace=pictures < size)
