"""Renders a scene's cameras by Cycles into arrays: colour, exact planar depth, cameras; stores them as .npz.

Colour is what the scene's view transform shows, 8-bit sRGB. Depth is planar z at each pixel's centre, from
a second pass of one sample whose filter is a point; sky is inf. Cameras have OpenCV axes and pixel centres at
integers.
"""

import contextlib
import math
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
import cv2
import numpy as np
from mathutils import Matrix

WIDTH, HEIGHT = 256, 144
SKY = 1e9


def empty_file() -> bpy.types.Scene:
    """A new file with nothing in it, set up for 256×144 and no view transform."""
    from . import materials

    bpy.ops.wm.read_factory_settings(use_empty=True)
    materials.forget()
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = (
        WIDTH,
        HEIGHT,
        100,
    )
    scene.render.fps = 24
    return scene


def use_cycles(scene: bpy.types.Scene, samples: int) -> None:
    """Quick settings that still look good: few samples, short light paths, the denoiser."""
    cycles = scene.cycles
    cycles.device, cycles.samples = "CPU", samples
    cycles.use_adaptive_sampling, cycles.use_light_tree = False, False
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_input_passes, cycles.denoising_prefilter = "RGB_ALBEDO_NORMAL", "FAST"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 2, 1
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0
    cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", 1.5
    scene.render.use_persistent_data = True


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what Blender prints for every frame off the terminal."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


@dataclass(frozen=True)
class View:
    """One rendered camera at one frame."""

    colour: np.ndarray  # (H, W, 3) uint8
    depth: np.ndarray  # (H, W) float32, inf for sky
    intrinsics: np.ndarray  # (3, 3)
    world_to_camera: np.ndarray  # (4, 4)


def camera_matrices(
    camera: bpy.types.Object, width: int = WIDTH, height: int = HEIGHT
) -> tuple[np.ndarray, np.ndarray]:
    """Intrinsics and world-to-camera of an evaluated camera without shift, sensor fitted to the width."""
    evaluated = camera.evaluated_get(bpy.context.evaluated_depsgraph_get())
    rotation = evaluated.matrix_world.to_quaternion().to_matrix().to_4x4()
    pose = Matrix.Translation(evaluated.matrix_world.translation) @ rotation
    focal = evaluated.data.lens / evaluated.data.sensor_width * width
    intrinsics = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]], np.float32)
    world_to_camera = np.diag([1.0, -1.0, -1.0, 1.0]) @ np.array(pose.inverted())
    return intrinsics, world_to_camera.astype(np.float32)


class Studio:
    """Renders views of the current scene: `render` moves it to a frame, returns the picture and its depth."""

    def __init__(self, samples: int = 12):
        self.scene = bpy.context.scene
        self.samples = samples
        self.folder = tempfile.TemporaryDirectory(prefix="scenes-")
        use_cycles(self.scene, samples)
        layer = bpy.context.view_layer
        layer.use_pass_z = True
        self.scene.use_nodes = True
        tree = self.scene.node_tree
        tree.nodes.clear()
        layers = tree.nodes.new("CompositorNodeRLayers")
        composite = tree.nodes.new("CompositorNodeComposite")
        tree.links.new(layers.outputs["Image"], composite.inputs["Image"])
        self.file = tree.nodes.new("CompositorNodeOutputFile")
        self.file.base_path = self.folder.name
        self.file.format.file_format, self.file.format.color_depth, self.file.format.exr_codec = (
            "OPEN_EXR",
            "32",
            "NONE",
        )
        self.file.file_slots[0].path = "depth"
        tree.links.new(layers.outputs["Depth"], self.file.inputs[0])
        settings = self.scene.render.image_settings
        settings.file_format, settings.color_mode, settings.color_depth, settings.compression = (
            "PNG",
            "RGB",
            "8",
            10,
        )

    def colour(self, camera: bpy.types.Object, frame: float) -> np.ndarray:
        """The picture alone, (H, W, 3) uint8."""
        self.scene.camera = camera
        self.scene.frame_set(math.floor(frame), subframe=frame - math.floor(frame))
        return self._picture()

    def render(self, camera: bpy.types.Object, frame: float) -> View:
        scene, cycles = self.scene, self.scene.cycles
        colour = self.colour(camera, frame)
        width, height = scene.render.resolution_x, scene.render.resolution_y
        cycles.samples, cycles.use_denoising, cycles.filter_width = 1, False, 0.01
        cycles.pixel_filter_type = "GAUSSIAN"
        try:
            self._picture()
            depth = self._depth(width, height)
        finally:
            cycles.samples, cycles.use_denoising, cycles.filter_width = self.samples, True, 1.5
            cycles.pixel_filter_type = "BLACKMAN_HARRIS"
        intrinsics, world_to_camera = camera_matrices(camera, width, height)
        return View(colour, depth, intrinsics, world_to_camera)

    def _picture(self) -> np.ndarray:
        path = os.path.join(self.folder.name, "colour.png")
        self.scene.render.filepath = path
        with quiet():
            bpy.ops.render.render(write_still=True)
        return cv2.imread(path)[..., ::-1].copy()

    def _depth(self, width: int, height: int) -> np.ndarray:
        path = next(Path(self.folder.name).glob("depth*.exr"))
        image = bpy.data.images.load(str(path))
        image.colorspace_settings.name = "Non-Color"
        pixels = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(pixels)
        bpy.data.images.remove(image)
        path.unlink()
        depth = pixels.reshape(height, width, 4)[::-1, :, 0].copy()
        depth[depth >= SKY] = np.inf
        return depth


def store(path: Path, tracks: list[list[View]], dynamic: bool) -> None:
    """Write tracks of equal length (0 the shot, 1 the reference) as .npz, whole or not at all."""
    arrays = {
        name: np.stack([np.stack([getattr(view, name) for view in track]) for track in tracks])
        for name in View.__annotations__
    }
    save(path, dynamic=np.array(dynamic), **arrays)


def save(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays as .npz, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as file:
        np.savez_compressed(file, **arrays)
    os.replace(partial, path)
