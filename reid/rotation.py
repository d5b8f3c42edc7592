"""Embeddings turned by a secret: within one secret all cosines stay, between two secrets they mean nothing.

The rotation is a random orthogonal matrix, uniform over all of them (Haar measure, by QR of a Gaussian matrix;
Mezzadri 2007, "How to generate random matrices from the classical compact groups"), drawn from the secret. It hides who
is who from somebody who has the embeddings alone. It is no encryption: somebody who knows many people's embeddings
under two secrets, or compares the distributions of two large days, can compute how the two are turned against each
other. What protects for good is to delete.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np

SECRET_BYTES = 32


def key_of(secret: bytes) -> str:
    """A public name of a secret (32 hex digits), from which it can't be found."""
    return hashlib.sha256(b"aisleflow key" + secret).hexdigest()[:32]


def rotate(embeddings: np.ndarray, secret: bytes) -> np.ndarray:
    """Embeddings (N, D) turned by a secret; rows of NaN stay so. Raises ValueError for a secret of another length."""
    embeddings = np.asarray(embeddings, np.float32)
    return embeddings @ _rotation(secret, embeddings.shape[1])


def rotate_back(embeddings: np.ndarray, secret: bytes) -> np.ndarray:
    """What `rotate` was given, up to rounding."""
    embeddings = np.asarray(embeddings, np.float32)
    return embeddings @ _rotation(secret, embeddings.shape[1]).T


@lru_cache(maxsize=64)
def _rotation(secret: bytes, dimension: int) -> np.ndarray:
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a secret has {SECRET_BYTES} bytes, not {len(secret)}")
    seed = hashlib.blake2b(b"aisleflow rotation", key=secret).digest()
    gaussian = np.random.Generator(np.random.PCG64(int.from_bytes(seed))).standard_normal((dimension, dimension))
    orthogonal, upper = np.linalg.qr(gaussian)
    # The signs make the result uniform, and the same whichever LAPACK computed it.
    return (orthogonal * np.sign(np.diag(upper))).astype(np.float32)
