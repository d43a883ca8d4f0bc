"""What a shot is made of, kept with the scene: `scene.inspatio`.

Only settings live here. What is running lives in `runtime.py`, outside Blender's data, since undo reverts
these properties and must not revert a running take.
"""

from dataclasses import dataclass

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, PointerProperty, StringProperty

from . import showing


@dataclass(frozen=True)
class Preset:
    """What the add-on has to know of a preset before the backend runs."""

    id: str
    label: str
    description: str
    width: int
    height: int
    text: bool
    draft: bool
    keep_reference_detail: bool


PRESETS = {
    preset.id: preset
    for preset in (
        Preset(
            "tiny",
            "Tiny",
            "Small and fast, shipped with the add-on, runs on any CPU",
            256,
            144,
            False,
            False,
            True,
        ),
        Preset(
            "inspatio-1.3b",
            "InSpatio World 1.3B",
            "The first release, needs a GPU",
            832,
            480,
            True,
            True,
            False,
        ),
        Preset(
            "inspatio-1.5-1.3b",
            "InSpatio World 1.5 1.3B",
            "The second release, needs a GPU",
            832,
            480,
            True,
            True,
            False,
        ),
    )
}


def _is_camera(_self, candidate: bpy.types.Object) -> bool:
    return candidate.type == "CAMERA"


def _preset_changed(shot, _context):
    shot.keep_reference_detail = PRESETS[shot.preset].keep_reference_detail


def _background_changed(shot, _context):
    showing.switch_background(shot.id_data)


def _strip_changed(shot, _context):
    showing.switch_strip(shot.id_data)


def _camera_pointer(name: str, description: str):
    return PointerProperty(
        type=bpy.types.Object, name=name, description=description, poll=_is_camera, options=set()
    )


class InSpatioShot(bpy.types.PropertyGroup):
    """A target camera, a frame range, a reference, a prompt, a preset and a seed."""

    shot_name: StringProperty(
        name="Shot",
        description="Folder that the references and takes of this shot lie in. Empty: the name of the scene",
        options=set(),
    )
    camera: _camera_pointer(
        "Camera", "Camera to generate from. Empty: the scene's active camera, markers included"
    )
    use_scene_range: BoolProperty(
        name="Scene Frame Range",
        description="Generate the frames from the scene's start to its end",
        default=True,
        options=set(),
    )
    frame_start: IntProperty(
        name="Start", description="First frame to generate", default=1, min=0, options=set()
    )
    frame_end: IntProperty(name="End", description="Last frame to generate", default=97, min=0, options=set())
    preset: EnumProperty(
        name="Preset",
        description="Weights to generate with",
        items=[(preset.id, preset.label, preset.description) for preset in PRESETS.values()],
        default="tiny",
        update=_preset_changed,
        options=set(),
    )
    quality: EnumProperty(
        name="Quality",
        description="Which autoencoder makes the frames. Disabled where the preset has but one, as Tiny does",
        items=[
            ("draft", "Draft", "The small autoencoder: faster, with softer detail"),
            ("final", "Final", "The full autoencoder: slower, and needs more memory"),
        ],
        default="draft",
        options=set(),
    )
    prompt: StringProperty(
        name="Prompt",
        description="What is in the picture. Disabled where the preset knows no text, as Tiny does",
        options=set(),
    )
    seed: IntProperty(
        name="Seed",
        description="Another seed gives other details where the reference shows nothing",
        default=0,
        min=0,
        max=2**31 - 1,
        options=set(),
    )
    keep_reference_detail: BoolProperty(
        name="Keep Reference Detail",
        description="Take detail from the reference wherever it reaches, so that only the rest is generated",
        default=True,
        options=set(),
    )

    remember: BoolProperty(
        name="Remember",
        description="Show again what was generated where no view of the reference reaches, when the camera "
        "comes back to it. Needs a reference with geometry",
        default=False,
        options=set(),
    )

    reference_kind: EnumProperty(
        name="Capture",
        description="What the reference is captured from",
        items=[
            (
                "STILL",
                "Single View",
                "One camera at one frame: nothing in the world moves but the shot's camera",
            ),
            (
                "STILLS",
                "Several Cameras",
                "Up to four cameras at one frame, so that they cover more of the world",
            ),
            ("MOVING", "Frame Range", "One camera at every frame of the shot, for subjects that move"),
        ],
        default="STILL",
        options=set(),
    )
    reference_camera: _camera_pointer("Camera", "Camera to capture from. Empty: the camera of the shot")
    reference_camera_2: _camera_pointer("Camera 2", "Another camera to capture from")
    reference_camera_3: _camera_pointer("Camera 3", "Another camera to capture from")
    reference_camera_4: _camera_pointer("Camera 4", "Another camera to capture from")
    reference_at: EnumProperty(
        name="At",
        description="Frame to capture at",
        items=[
            ("FIRST", "First Frame", "The first frame of the shot"),
            ("CURRENT", "Current Frame", "The frame that the scene is at"),
        ],
        default="FIRST",
        options=set(),
    )
    reference_step: IntProperty(
        name="Every",
        description="Capture every this many frames: fewer views are quicker, the nearest one is used in between",
        default=1,
        min=1,
        max=24,
        options=set(),
    )
    reference_scale: EnumProperty(
        name="Size",
        description="Size of the reference against the generated frame",
        items=[
            ("1", "1×", "As large as the generated frame"),
            ("2", "2×", "Twice as wide and high: finer detail, four times the pixels to render"),
        ],
        default="1",
        options=set(),
    )
    reference_geometry: BoolProperty(
        name="With Geometry",
        description="Keep the scene's surfaces with the reference, for Remember; of a frame range, what stands still",
        default=True,
        options=set(),
    )
    reference_version: StringProperty(
        name="Version",
        description="Version of the reference to generate from. Empty: the newest",
        options=set(),
    )

    show_background: BoolProperty(
        name="Camera Background",
        description="Show the frames in the camera's view while they arrive",
        default=True,
        update=_background_changed,
        options=set(),
    )
    background_depth: EnumProperty(
        name="Depth",
        description="Whether the frames lie before or behind the objects of the scene",
        items=[
            ("FRONT", "Front", "Before the objects: the frames are what the camera sees"),
            ("BACK", "Back", "Behind the objects, which then hide most of the frames"),
        ],
        default="FRONT",
        update=_background_changed,
        options=set(),
    )
    show_strip: BoolProperty(
        name="Sequencer Strip",
        description="Add the frames to the sequencer while they arrive",
        default=True,
        update=_strip_changed,
        options=set(),
    )
    unsaved_folder: StringProperty(
        name="Unsaved Folder",
        description="Where the references and takes lie that were made before the file was saved",
        options={"HIDDEN"},
    )

    def frames(self) -> list[int]:
        """The scene frames of the shot; empty where the end lies before the start."""
        scene = self.id_data
        start, end = self.frame_start, self.frame_end
        if self.use_scene_range:
            start, end = scene.frame_start, scene.frame_end
        return list(range(start, end + 1))

    def reference_cameras(self) -> list[bpy.types.Object]:
        """The cameras chosen to capture from, each once; empty: the shot's camera."""
        chosen = [self.reference_camera]
        if self.reference_kind == "STILLS":
            chosen += [self.reference_camera_2, self.reference_camera_3, self.reference_camera_4]
        return list(dict.fromkeys(camera for camera in chosen if camera is not None))


def register():
    bpy.utils.register_class(InSpatioShot)
    bpy.types.Scene.inspatio = PointerProperty(type=InSpatioShot, name="InSpatio")


def unregister():
    del bpy.types.Scene.inspatio
    bpy.utils.unregister_class(InSpatioShot)
