"""What training does to pictures: the paper's recipe, and the faults that detectors and store cameras add.

Every function takes its random generator, so that a picture of a step always looks the same (a run repeats).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
IMAGENET_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)

Image = NDArray[np.uint8]
Random = np.random.Generator


@dataclass(frozen=True)
class Augmentation:
    """Probabilities and strengths; the defaults are the paper's.

    Attributes:
        flip: Probability of mirroring.
        crop: Probability of resizing to 9/8 of the size and cutting the size out at random (288x144 -> 256x128).
        erase: Probability of filling a rectangle with the mean colour (Zhong et al., AAAI 2020): area .02 to .4,
            aspect .3 to 3.33.
        colour: Strength of random brightness, contrast, saturation and white balance; 0 is off.
        blur: Probability of the loss of detail of a far or unsharp camera.
        box_fault: Largest shift and scale of the box, as a share of its sides; 0 is off.
        occlude: Probability of covering part of the body with a piece of another picture of the batch.
    """

    flip: float = 0.5
    crop: float = 0.5
    erase: float = 0.5
    colour: float = 0.0
    blur: float = 0.0
    box_fault: float = 0.0
    occlude: float = 0.0

    def __call__(
        self, image: Image, size: tuple[int, int], random: Random, other: Image | None = None
    ) -> NDArray[np.float32]:
        """A picture, uint8 RGB (h, w, 3), as network input: float32 (3, H, W), ImageNet-normalised."""
        if self.box_fault:
            image = shifted_box(image, self.box_fault, random)
        image = random_crop(image, size, random) if random.random() < self.crop else resized(image, size)
        if random.random() < self.flip:
            image = image[:, ::-1]
        if other is not None and random.random() < self.occlude:
            image = occluded(image, resized(other, size), random)
        if random.random() < self.blur:
            image = less_detail(image, random)
        if self.colour:
            image = recoloured(image, self.colour, random)
        values = network_input(image)
        if random.random() < self.erase:
            erase(values, random)
        return values


def network_input(image: Image) -> NDArray[np.float32]:
    """uint8 RGB (H, W, 3) to float32 (3, H, W), normalised by ImageNet's mean and deviation."""
    values = (image.astype(np.float32) / 255 - IMAGENET_MEAN) / IMAGENET_DEVIATION
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def resized(image: Image, size: tuple[int, int]) -> Image:
    """Stretched to (height, width)."""
    if image.shape[:2] == tuple(size):
        return image
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def random_crop(image: Image, size: tuple[int, int], random: Random) -> Image:
    """Resized to 9/8 of the size, and the size cut out of it."""
    height, width = size
    larger = resized(image, (height * 9 // 8, width * 9 // 8))
    top = int(random.integers(larger.shape[0] - height + 1))
    left = int(random.integers(larger.shape[1] - width + 1))
    return larger[top : top + height, left : left + width]


def shifted_box(image: Image, strength: float, random: Random) -> Image:
    """The box moved and scaled; what lies outside repeats the border."""
    height, width = image.shape[:2]
    scale_x, scale_y = 1 + random.uniform(-strength, strength, 2)
    shift_x, shift_y = random.uniform(-strength, strength, 2) * (width, height)
    matrix = np.array(
        [[scale_x, 0, width / 2 * (1 - scale_x) + shift_x], [0, scale_y, height / 2 * (1 - scale_y) + shift_y]]
    )
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def occluded(image: Image, other: Image, random: Random) -> Image:
    """A piece of another picture over one side or the lower part, as shelves and passers-by hide people."""
    height, width = image.shape[:2]
    image = image.copy()
    if random.random() < 0.5:
        top = int(height * random.uniform(0.55, 0.9))
        image[top:] = other[top:]
    else:
        part = int(width * random.uniform(0.15, 0.4))
        side = slice(0, part) if random.random() < 0.5 else slice(width - part, width)
        image[:, side] = other[:, side]
    return image


def less_detail(image: Image, random: Random) -> Image:
    """Sampled down and up again, or blurred, then noise and JPEG faults."""
    height, width = image.shape[:2]
    share = random.uniform(0.25, 0.8)
    small = cv2.resize(image, (max(8, int(width * share)), max(16, int(height * share))), interpolation=cv2.INTER_AREA)
    image = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    noisy = image + random.normal(0, random.uniform(0, 8), image.shape)
    image = np.clip(noisy, 0, 255).astype(np.uint8)
    return compressed(image, int(random.integers(30, 90)))


def compressed(image: Image, quality: int) -> Image:
    """With JPEG's faults."""
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)  # type: ignore[return-value]


def recoloured(image: Image, strength: float, random: Random) -> Image:
    """Brightness, contrast, saturation and the light's colour, each changed by up to `strength`."""
    gain = (1 + random.uniform(-strength, strength)) * (1 + random.uniform(-strength / 3, strength / 3, 3))
    values = image.astype(np.float32) * gain
    grey = values.mean(axis=2, keepdims=True)
    values = grey + (values - grey) * (1 + random.uniform(-strength, strength))
    middle = values.mean()
    values = middle + (values - middle) * (1 + random.uniform(-strength, strength))
    return np.clip(values, 0, 255).astype(np.uint8)


def erase(
    values: NDArray[np.float32],
    random: Random,
    *,
    area: tuple[float, float] = (0.02, 0.4),
    aspect: tuple[float, float] = (0.3, 3.33),
) -> None:
    """Sets a random rectangle of (C, H, W) to 0, in place; up to 100 tries to find one that fits, as in the paper."""
    height, width = values.shape[1:]
    for _ in range(100):
        target, ratio = random.uniform(*area) * height * width, random.uniform(*aspect)
        high, wide = round(float(np.sqrt(target * ratio))), round(float(np.sqrt(target / ratio)))
        if 0 < wide < width and 0 < high < height:
            top, left = int(random.integers(height - high + 1)), int(random.integers(width - wide + 1))
            values[:, top : top + high, left : left + wide] = 0
            return


def augmented_map(
    values: NDArray[np.float32], shift: int, erase_probability: float, random: Random
) -> NDArray[np.float32]:
    """A frozen body's map (C, h, w), moved by up to `shift` positions (borders repeat) and partly erased.

    Moving a map by one position is what moving the picture by the body's stride does; colour and mirroring can't be
    done here and belong to the pictures before the body.
    """
    if shift:
        down, right = random.integers(-shift, shift + 1, 2)
        rows = np.clip(np.arange(values.shape[1]) + down, 0, values.shape[1] - 1)
        columns = np.clip(np.arange(values.shape[2]) + right, 0, values.shape[2] - 1)
        values = values[:, rows][:, :, columns]
    values = np.array(values, dtype=np.float32)
    if random.random() < erase_probability:
        erase(values, random, area=(0.02, 0.3))
    return values
