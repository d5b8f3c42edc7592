"""Where people stand, with an uncertainty, also where a shelf or another person hides their feet.

A box that ends at the feet gives the place directly. Between gondolas it ends at the shelf's edge, and its bottom's
floor point lies metres off. Then the head gives the place: its ray meets the plane at the person's height. The height
is learnt on each track where the feet are seen, and is a guess (adults, or children) where they never are; the place
then lies on a line, and says how far it moves along that line with each metre of height.

Feet are hidden where the box is too short for the person: the height that the box's bottom and top would mean together
is lower than the height known for the track, lower than any walking person's, or the way from the camera to that floor
place is blocked by a fixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detection.camera_pose import CameraPose

ADULT_M, ADULT_SIGMA_M, CHILD_RANGE_M, CHILD_SHARE = 1.72, 0.09, (0.95, 1.5), 0.1
HEIGHTS_M = np.linspace(0.9, 2.1, 25)
SHOE_M = 0.13
"""The box's bottom is the foremost shoe, this much nearer to the camera than the body's middle."""
HEIGHT_NOISE_M, HEAD_NOISE_M = 0.05, 0.04
"""Standard deviation of a height by a whole box, and of the top of a head."""
SEEN_SHARE = 0.6
CORRELATION_SAMPLES = 5
"""So many samples of a track, one after the other, say as much as one."""
BORDER_PX = 3.0
DOORWAY_M = 0.5
FIXTURE_MARGIN_M = 0.15
BLOCK = 20_000


@dataclass(frozen=True)
class Fixture:
    """What hides feet: footprint polygon (N, 2) in floor metres, height in metres."""

    polygon: np.ndarray
    height_m: float


@dataclass(frozen=True)
class Places:
    """N boxes' floor places: xy (N, 2) metres, NaN where nothing can be said; sigma_m (N,), standard deviation on each
    axis; slope (N, 2), metres that the place moves for each metre that the person is taller than the mean of `heights`,
    0 where the feet give it; known_height_sigma_m (N,), what sigma_m would be if the height were known; feet_seen (N,),
    probability that the box ends at the feet. heights (K, H): of each of the K tracks in order of their numbers, the
    probability of each of HEIGHTS_M."""

    xy: np.ndarray
    sigma_m: np.ndarray
    slope: np.ndarray
    known_height_sigma_m: np.ndarray
    feet_seen: np.ndarray
    heights: np.ndarray


def mean_height(heights: np.ndarray) -> np.ndarray:
    """Mean height (K,) in metres by probabilities (K, H) of HEIGHTS_M."""
    return heights @ HEIGHTS_M


def height_sigma(heights: np.ndarray) -> np.ndarray:
    """Standard deviation (K,) in metres of heights by probabilities (K, H); at least what a box's edges leave open."""
    return np.sqrt(np.maximum(heights @ HEIGHTS_M**2 - mean_height(heights) ** 2, 0.02**2))


def height_prior() -> np.ndarray:
    """Probability (H,) of each of HEIGHTS_M for anybody in a shop."""
    adult = np.exp(-((HEIGHTS_M - ADULT_M) ** 2) / (2 * ADULT_SIGMA_M**2))
    child = ((HEIGHTS_M >= CHILD_RANGE_M[0]) & (HEIGHTS_M <= CHILD_RANGE_M[1])).astype(float)
    prior = (1 - CHILD_SHARE) * adult / adult.sum() + CHILD_SHARE * child / child.sum()
    return prior / prior.sum()


def locate(
    boxes: np.ndarray,
    track: np.ndarray,
    pose: CameraPose,
    image_size: tuple[int, int],
    fixtures: Sequence[Fixture] = (),
    floor_size: tuple[float, float] | None = None,
    heights: np.ndarray | None = None,
) -> Places:
    """Places of boxes (N, 4) xyxy pixels of one camera; track int (N,), which boxes are of one person. Fixtures and
    the floor's size (width, depth in metres, from 0, 0) of the store's configuration make it surer: nobody stands in a
    shelf or behind a wall. `heights` (K, H): probabilities of HEIGHTS_M for each of the tracks, in order of their
    numbers, where they are known from elsewhere; else they are learnt on the tracks."""
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    if not len(boxes):
        none = np.zeros(0)
        return Places(np.zeros((0, 2)), none, np.zeros((0, 2)), none, none, np.zeros((0, len(HEIGHTS_M))))
    heads, feet = axis_points(boxes, pose)
    foot_xy = _beyond(pose, pose.foot_from_head(feet, 0.0), SHOE_M)
    implied = implied_height(pose, heads, foot_xy)
    top_cut = boxes[:, 1] <= BORDER_PX
    bottom_cut = boxes[:, 3] >= image_size[1] - BORDER_PX
    visible = feet_likely_visible(foot_xy, pose, fixtures)
    visible[bottom_cut | _outside(foot_xy, floor_size)] = 0.02
    _, row = np.unique(track, return_inverse=True)
    if heights is None:
        heights = _heights(implied, visible, top_cut, row, _Standing(pose, heads, fixtures, floor_size))
    seen = _feet_seen(implied, heights, row, visible)
    seen[top_cut] = visible[top_cut]
    return _combine(pose, heads, foot_xy, seen, heights, row, top_cut)


def axis_points(boxes: np.ndarray, pose: CameraPose) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the head's top and the feet, (N, 2) each: where the upright body's axis meets the box.

    The axis runs through the box's middle towards the vanishing point of the vertical, so at the picture's sides, where
    people seem to lean, head and feet are not above each other.
    """
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    down = pose.K @ pose.R @ np.array([0.0, 0.0, -1.0])
    if abs(down[2]) < 1e-9:
        slope = np.full(len(boxes), down[0] / down[1])
    else:
        vanishing = down[:2] / down[2]
        slope = (vanishing[0] - middle[:, 0]) / (vanishing[1] - middle[:, 1])
    half = np.clip(slope * (boxes[:, 3] - boxes[:, 1]) / 2, -(boxes[:, 2] - boxes[:, 0]) / 2, None)
    half = np.minimum(half, (boxes[:, 2] - boxes[:, 0]) / 2)
    heads = np.column_stack([middle[:, 0] - half, boxes[:, 1]])
    feet = np.column_stack([middle[:, 0] + half, boxes[:, 3]])
    return heads, feet


def implied_height(pose: CameraPose, heads: np.ndarray, foot_xy: np.ndarray) -> np.ndarray:
    """Height in metres (N,) at which the head's ray passes over the floor place; NaN where there is none."""
    start, step = pose.foot_from_head(heads, 1.0), place_slope(pose, heads)
    with np.errstate(divide="ignore", invalid="ignore"):
        along = ((foot_xy - start) * step).sum(axis=1) / (step**2).sum(axis=1)
    return 1.0 + along


def place_slope(pose: CameraPose, heads: np.ndarray) -> np.ndarray:
    """Metres (N, 2) on the floor that the place below a head's pixel moves for each metre of the person's height."""
    return (pose.foot_from_head(heads, 1.0) - pose.foot_from_head(heads, 0.5)) / 0.5


def _beyond(pose: CameraPose, xy: np.ndarray, metres: float) -> np.ndarray:
    """Places moved away from the camera."""
    away = xy - pose.position[:2]
    length = np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    return xy + metres * away / length


def _outside(xy: np.ndarray, floor_size: tuple[float, float] | None) -> np.ndarray:
    """Whether places (..., 2) lie beyond the walls; the doorway's depth is allowed on every side."""
    if floor_size is None:
        return np.zeros(xy.shape[:-1], bool)
    return np.asarray(((xy < -DOORWAY_M) | (xy > np.array(floor_size) + DOORWAY_M)).any(axis=-1))


def _inside(polygon: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Whether places (..., 2) lie in a convex polygon (C, 2) and more than a foot's length from its border."""
    area = np.sum(polygon[:, 0] * np.roll(polygon[:, 1], -1) - polygon[:, 1] * np.roll(polygon[:, 0], -1))
    edges = np.roll(polygon, -1, axis=0) - polygon
    inward = np.column_stack([-edges[:, 1], edges[:, 0]]) * np.sign(area)
    inward /= np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-9)
    within = np.ones(xy.shape[:-1], bool)
    for corner, normal in zip(polygon, inward, strict=True):
        within &= (xy - corner) @ normal > FIXTURE_MARGIN_M
    return within


@dataclass(frozen=True)
class _Standing:
    """Where a person of each of HEIGHTS_M would stand, and whether anybody can."""

    pose: CameraPose
    heads: np.ndarray
    fixtures: Sequence[Fixture]
    floor_size: tuple[float, float] | None

    def possible(self, rows: slice) -> np.ndarray:
        """Likelihood factor (n, H) of the heads' rows."""
        heads = self.heads[rows]
        places = [self.pose.foot_from_head(heads, height) for height in HEIGHTS_M]
        xy = np.stack(places, axis=1)
        taken = _outside(xy, self.floor_size) | np.isnan(xy[..., 0])
        for fixture in self.fixtures:
            taken |= _inside(np.asarray(fixture.polygon, float), xy)
        return np.where(taken, 0.02, 1.0)


def feet_likely_visible(xy: np.ndarray, pose: CameraPose, fixtures: Sequence[Fixture]) -> np.ndarray:
    """Prior probability (N,) that feet at these places are seen: hardly, in or behind a fixture."""
    blocked = np.zeros(len(xy), bool)
    for fixture in fixtures:
        blocked |= _blocks(fixture, xy, pose.position)
    prior = np.where(blocked, 0.03, SEEN_SHARE)
    return np.where(np.isfinite(xy[:, 0]), prior, 0.0)


def _blocks(fixture: Fixture, xy: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Whether the line from the camera to each floor place (N, 2) passes through the fixture (convex footprint).

    The line is below the fixture's top from the share 1 - height/camera height of the way on; the footprint is
    clipped against that part of it (Cyrus & Beck 1978).
    """
    polygon = np.asarray(fixture.polygon, float)
    area = np.sum(polygon[:, 0] * np.roll(polygon[:, 1], -1) - polygon[:, 1] * np.roll(polygon[:, 0], -1))
    edges = np.roll(polygon, -1, axis=0) - polygon
    inward = np.column_stack([-edges[:, 1], edges[:, 0]]) * np.sign(area)
    direction = xy - camera[:2]
    low = np.full(len(xy), max(0.0, 1 - fixture.height_m / camera[2]))
    high = np.full(len(xy), 1.0)
    for corner, normal in zip(polygon, inward, strict=True):
        distance, speed = (camera[:2] - corner) @ normal, direction @ normal
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = -distance / speed
        low = np.where(speed > 1e-12, np.maximum(low, crossing), low)
        high = np.where(speed < -1e-12, np.minimum(high, crossing), high)
        high = np.where((np.abs(speed) <= 1e-12) & (distance < 0), -1.0, high)
    return low < high


def _likelihood(implied: np.ndarray, height: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Likelihoods (broadcast) of an implied height for a person of `height`: with feet seen, with feet hidden.

    Seen: about the height itself. Hidden: the box ends higher, which means any lower height.
    """
    off = (implied - height) / HEIGHT_NOISE_M
    seen = visible * (np.exp(-(off**2) / 2) / (HEIGHT_NOISE_M * np.sqrt(2 * np.pi)) + 1e-3)
    lower = 1 / (1 + np.exp(np.clip((implied - height + 0.1) / 0.03, -50, 50)))
    hidden = (1 - visible) * (lower / np.maximum(height + 1.0, 0.5) + 1e-3)
    return seen, hidden


def _heights(
    implied: np.ndarray, visible: np.ndarray, top_cut: np.ndarray, row: np.ndarray, standing: _Standing
) -> np.ndarray:
    """Probability (K, H) of HEIGHTS_M for each track, from all of its boxes; row (N,) of each box's track."""
    usable = np.isfinite(implied) & ~top_cut
    total = np.zeros((row.max() + 1, len(HEIGHTS_M)))
    for start in range(0, len(row), BLOCK):
        rows = slice(start, start + BLOCK)
        seen, hidden = _likelihood(np.nan_to_num(implied[rows])[:, None], HEIGHTS_M[None, :], visible[rows, None])
        logs = np.where(usable[rows, None], np.log(seen + hidden * standing.possible(rows)), 0.0)
        np.add.at(total, row[rows], logs)
    size = np.bincount(row)[:, None]
    posterior = np.log(height_prior())[None, :] + total / np.minimum(size, CORRELATION_SAMPLES)
    posterior = np.exp(posterior - posterior.max(axis=1, keepdims=True))
    return np.asarray(posterior / posterior.sum(axis=1, keepdims=True))


def _feet_seen(implied: np.ndarray, heights: np.ndarray, row: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Probability (N,) that a box ends at the feet."""
    result = np.zeros(len(row))
    for start in range(0, len(row), BLOCK):
        rows = slice(start, start + BLOCK)
        seen, hidden = _likelihood(np.nan_to_num(implied[rows])[:, None], HEIGHTS_M[None, :], visible[rows, None])
        result[rows] = (heights[row[rows]] * seen / np.maximum(seen + hidden, 1e-12)).sum(axis=1)
    return np.where(np.isfinite(implied), result, 0.0)


def _combine(
    pose: CameraPose,
    heads: np.ndarray,
    foot_xy: np.ndarray,
    seen: np.ndarray,
    heights: np.ndarray,
    row: np.ndarray,
    top_cut: np.ndarray,
) -> Places:
    """The likelier of the two places; its uncertainty."""
    head_xy = pose.foot_from_head(heads, mean_height(heights)[row])
    slope = place_slope(pose, heads)
    across = np.linalg.norm(slope, axis=1)
    head_sigma = np.hypot(0.12, across * HEAD_NOISE_M / np.sqrt(2))
    use_feet = (seen >= 0.5) & np.isfinite(foot_xy[:, 0])
    xy = np.where(use_feet[:, None], foot_xy, head_xy)
    own = np.where(use_feet, np.where(top_cut, 0.4, 0.12), head_sigma)
    only_feet = top_cut & ~use_feet
    xy[only_feet], own[only_feet] = foot_xy[only_feet], 2.0
    by_feet = use_feet | only_feet
    slope = np.where(by_feet[:, None], 0.0, slope)
    sigma = np.hypot(own, np.where(by_feet, 0.0, across * height_sigma(heights)[row] / np.sqrt(2)))
    return Places(xy, sigma, slope, own, seen, heights)
