"""Depth of a picture by a network: Depth Anything V2 (Yang et al. 2024, arXiv 2406.09414) through transformers.

    picture (h, w, 3)  ->  shorter side 518, sides multiples of 14, ImageNet's mean and deviation  ->  (h, w) depth

A metric network gives metres. The other gives inverse depth without a scale or an offset: its largest value is laid
at a depth of 1, and 0 at FARTHEST. Either way the scale is a guess until it is aligned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError

from ..device import Device, DeviceError, default_device
from ..protocol.sources import DEPTH_NETWORKS, weights_folder
from .error import RecoverError

FARTHEST = 20.0
"""How many times further than the nearest thing a network of relative depth takes the farthest one to be."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

WITHOUT = (
    "Without them depth can be rendered instead: match the camera in Blender and model stand-ins, "
    "or give depth maps of your own."
)


class DepthNetwork:
    """A depth network that is loaded. Raises RecoverError where it cannot be, with what to do instead."""

    def __init__(self, name: str, folder: Path | None = None, device: Device | None = None) -> None:
        source = DEPTH_NETWORKS.get(name)
        if source is None:
            raise RecoverError(f"There is no depth network {name!r}; there are {', '.join(DEPTH_NETWORKS)}.")
        files = (folder or weights_folder()) / source.repo
        missing = [
            file.path for file in source.files if not file.within(folder or weights_folder()).is_file()
        ]
        if missing:
            raise RecoverError(
                f"The weights of {source.label} are not on this machine: download them in the preferences, or with "
                f"`inspatio download {name}`. {WITHOUT}"
            )
        try:
            self._device = (device or default_device()).torch_device
        except DeviceError as error:
            raise RecoverError(str(error)) from None
        self.words = f"{source.label}, {source.licence}"
        self._network = _load(files, source.label, name).to(self._device).eval().requires_grad_(False)
        self.is_metric: bool = self._network.config.depth_estimation_type == "metric"
        """Whether it gives metres."""

    def depth(self, pixels: np.ndarray) -> np.ndarray:
        """(h, w) float32 planar depth of a picture (h, w, 3) uint8, red first."""
        height, width = pixels.shape[:2]
        config = self._network.config
        picture = torch.from_numpy(pixels).to(self._device).permute(2, 0, 1)[None].float() / 255
        size = _network_size(height, width, config.backbone_config.image_size, config.patch_size)
        picture = F.interpolate(picture, size=size, mode="bicubic", align_corners=False, antialias=True)
        mean, deviation = (
            torch.tensor(values, device=self._device)[None, :, None, None] for values in (MEAN, DEVIATION)
        )
        with torch.inference_mode():
            found = self._network((picture - mean) / deviation).predicted_depth
        found = F.interpolate(
            found[:, None].float(), size=(height, width), mode="bilinear", align_corners=False
        )
        values = found[0, 0].clamp(min=0).cpu().numpy()
        if not np.isfinite(values).all() or not values.max() > 0:
            raise RecoverError(
                "The depth network gives no depth for this picture: its weights may be broken."
            )
        return values if self.is_metric else depth_of_relative(values)


def depth_of_relative(inverse: np.ndarray) -> np.ndarray:
    """Depth from 1, where relative inverse depth is largest, to FARTHEST, where it is 0."""
    share = inverse / inverse.max()
    return (1 / (share * (1 - 1 / FARTHEST) + 1 / FARTHEST)).astype(np.float32)


def _network_size(height: int, width: int, shorter: int, multiple: int) -> tuple[int, int]:
    scale = shorter / min(height, width)
    rows, columns = (max(1, round(side * scale / multiple)) * multiple for side in (height, width))
    return rows, columns


def _load(folder: Path, label: str, name: str) -> Any:

    try:
        from transformers import DepthAnythingForDepthEstimation, logging
    except ImportError as error:
        raise RecoverError(
            f"{label} needs the package transformers ({error}): set up the backend again. {WITHOUT}"
        ) from None
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        network, found = DepthAnythingForDepthEstimation.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise RecoverError(
            f"{label} in {folder} cannot be loaded ({str(error).splitlines()[0]}): "
            f"run `inspatio download {name}` again."
        ) from error
    if wrong := sorted([*found["missing_keys"], *found["mismatched_keys"]], key=str):
        raise RecoverError(f"{label} in {folder} lacks {wrong[0]}: run `inspatio download {name}` again.")
    return network
