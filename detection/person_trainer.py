"""ultralytics' trainer with crops of mosaics and epochs of a chosen length. Import it through `train_detector` only."""

from __future__ import annotations

import random
from typing import Any

import torch
from ultralytics.data.augment import v8_transforms
from ultralytics.data.dataset import YOLODataset
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import DetectionModel

from detection.training_data import Schedule


class CropDataset(YOLODataset):
    """Pictures are loaded at `imgsz`; the square that is cut from their mosaic has the side `crop`.

    An epoch may be only a part of the pictures, another random part each time.
    """

    def __init__(self, *, crop: int, pictures_per_epoch: int | None, **settings: Any) -> None:
        self.crop, self.pictures_per_epoch = crop, pictures_per_epoch
        super().__init__(**settings)

    def __len__(self) -> int:
        return min(self.pictures_per_epoch or len(self.labels), len(self.labels))

    def __getitem__(self, index: int) -> dict[str, Any]:
        if len(self) < len(self.labels):
            index = random.randrange(len(self.labels))
        return self.transforms(self.get_image_and_label(index))

    def build_transforms(self, hyp: Any = None) -> Any:
        transforms = super().build_transforms(hyp)
        # The last transform makes tensors; those before it come again with the crop's side instead of imgsz.
        transforms.transforms = [*v8_transforms(self, self.crop, hyp).transforms, transforms.transforms[-1]]
        return transforms


class HalfPrecisionModel(DetectionModel):
    """Its layers run in bfloat16 while it learns; weights, losses and everything afterwards stay float32.

    ultralytics itself trains in lower precision on GPUs only. A CPU with AVX-512 BF16 or AMX takes half the time or
    less with it.
    """

    def _predict_once(self, x: torch.Tensor, *args: Any, **settings: Any) -> Any:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.training):
            return _float32(super()._predict_once(x, *args, **settings))


def _float32(outputs: Any) -> Any:
    if isinstance(outputs, torch.Tensor):
        return outputs.float() if outputs.dtype == torch.bfloat16 else outputs
    if isinstance(outputs, dict):
        return {name: _float32(part) for name, part in outputs.items()}
    return type(outputs)(map(_float32, outputs)) if isinstance(outputs, (list, tuple)) else outputs


class PersonTrainer(DetectionTrainer):
    """DetectionTrainer on CropDataset. `settings` are ultralytics' own."""

    def __init__(self, schedule: Schedule, settings: dict[str, Any]) -> None:
        self.schedule = schedule
        super().__init__(overrides=settings)

    def _setup_train(self) -> None:
        super()._setup_train()
        assert isinstance(self.model, DetectionModel)
        self.model.to(memory_format=torch.channels_last)  # what convolutions on a CPU like best
        if self.schedule.precision == "bfloat16":
            # Of the copy that learns alone: checkpoints hold the moving average, and only ultralytics' own classes may
            # be read from one.
            self.model.__class__ = HalfPrecisionModel  # type: ignore[assignment]

    def preprocess_batch(self, batch: dict) -> dict:
        batch = super().preprocess_batch(batch)
        batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        return batch

    def build_dataset(self, img_path: Any, mode: str = "train", batch: int | None = None) -> Any:
        if mode != "train":
            return super().build_dataset(img_path, mode, batch)
        return CropDataset(
            crop=self.schedule.crop or self.schedule.image_size,
            pictures_per_epoch=self.schedule.pictures_per_epoch,
            img_path=img_path,
            imgsz=self.args.imgsz,
            batch_size=batch,
            augment=True,
            hyp=self.args,
            rect=False,
            single_cls=True,
            stride=32,
            pad=0.0,
            prefix="train: ",
            task="detect",
            data=self.data,
        )

    def validate(self) -> Any:
        # ultralytics validates after the last epoch all the same, twice, which takes minutes without a GPU.
        return super().validate() if self.schedule.validate_each_epoch else (self.metrics, None)

    def final_eval(self) -> None:
        if self.schedule.validate_each_epoch:
            super().final_eval()
