"""What a shot is made of, kept with the scene: `scene.inspatio`.

Only settings live here. What is running lives in `runtime.py`, outside Blender's data, since undo reverts
these properties and must not revert a running take.
"""

from dataclasses import dataclass

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import cameras, showing
from .live import look


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


def _coverage_shown(_shot, _context):
    showing.redraw_timelines()


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

    plate: BoolProperty(
        name="Plate",
        description="Develop the frames to the resolution that the scene renders: where the reference reaches with its "
        "own detail, elsewhere enlarged. The frames themselves are kept",
        default=False,
        options=set(),
    )
    plate_strength: FloatProperty(
        name="Strength",
        description="How much of the reference's detail plates show. 0: frames are enlarged only",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
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
            ("IMAGES", "Camera Images", "The pictures behind up to four cameras, with depth of their own"),
            (
                "FOOTAGE",
                "Footage",
                "A movie clip with its matchmoved camera: colour from the footage, depth from stand-ins",
            ),
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
    footage_clip: PointerProperty(
        type=bpy.types.MovieClip,
        name="Clip",
        description="Footage that the reference's colour comes from, as opened in the Movie Clip Editor",
        options=set(),
    )
    stand_ins: PointerProperty(
        type=bpy.types.Collection,
        name="Stand-Ins",
        description="Planes, boxes and models in place of what the pictures show: their depth is rendered from them",
        options=set(),
    )
    backdrop: FloatProperty(
        name="Backdrop",
        description="Depth where there is no stand-in, as a plane at this distance from the camera. "
        "0: it has none there, and that part is left out of the world",
        default=0.0,
        min=0.0,
        subtype="DISTANCE",
        options=set(),
    )
    footage_frames: EnumProperty(
        name="Frames",
        description="Which frames of the footage become views",
        items=[
            ("RANGE", "Frame Range", "A view a frame of the shot, as far as the clip goes"),
            (
                "CURRENT",
                "Current Frame",
                "One view: the frame that the scene is at is the world at all times",
            ),
        ],
        default="RANGE",
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
    reference_every_frame: BoolProperty(
        name="Every Frame",
        description="Take the movie or sequence behind the camera at every frame of the shot, for subjects that move",
        options=set(),
    )
    reference_find_camera: BoolProperty(
        name="Find Camera",
        description="Find where the camera of the movie went by its pictures and their depth, from where it stands at "
        "the first frame. Without it the camera of the scene counts, as it is animated",
        options=set(),
    )
    reference_scale: EnumProperty(
        name="Size",
        description="Size of the reference against the generated frame",
        items=[
            ("1", "1×", "As large as the generated frame"),
            ("2", "2×", "Twice as wide and high: finer detail, four times the pixels to render"),
            ("PLATE", "Plate", "As large as the scene renders: all the detail that plates can show"),
        ],
        default="1",
        options=set(),
    )
    reference_engine: EnumProperty(
        name="Render With",
        description="What a reference is rendered with where InSpatio World is the scene's own render engine",
        items=[
            ("CYCLES", "Cycles", "Traces light, at the samples that the scene is set to"),
            ("EEVEE", "EEVEE", "Faster, and needs a GPU"),
        ],
        default="CYCLES",
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

    use_reference_time: BoolProperty(
        name="Use Reference Time",
        description="Move the world's time by Reference Time. Off: the world is as it was at each scene frame",
        default=False,
        options=set(),
    )
    reference_time: FloatProperty(
        name="Reference Time",
        description="Frame of the reference that is shown, to be animated: straight it plays, flat it freezes, "
        "backward it reverses. Between two views the nearest one is taken",
        default=1.0,
        step=100,
        precision=2,
        options={"ANIMATABLE"},
    )
    past_end: EnumProperty(
        name="Past End",
        description="What is seen where Reference Time runs past the first or last frame of the reference",
        items=[
            ("HOLD", "Hold", "The first or last frame stands still"),
            ("BOUNCE", "Bounce", "Time turns back, and runs to and fro between the ends"),
        ],
        default="HOLD",
        options=set(),
    )
    show_coverage: BoolProperty(
        name="Show Coverage",
        description="Draw the checked coverage over the frames of timeline and dope sheet",
        default=True,
        update=_coverage_shown,
        options=set(),
    )

    world_form: EnumProperty(
        name="World",
        description="What the reference is shown as in the scene",
        items=[
            ("MESH", "Mesh", "A closed surface, cut where depth jumps by more than a tenth"),
            ("POINTS", "Points", "A small square for each point, which hides less of what is behind"),
        ],
        default="MESH",
        options=set(),
    )
    world_views: EnumProperty(
        name="Views",
        description="Which views of a moving reference are shown",
        items=[
            ("SPREAD", "Over Time", "A few views spread over its time: where the camera may go"),
            (
                "CURRENT",
                "Current Frame",
                "What the shot shows at the scene's frame, by Reference Time where it is used",
            ),
        ],
        default="SPREAD",
        options=set(),
    )
    world_detail: EnumProperty(
        name="Detail",
        description="Vertices that the world may have: more are finer, and slower to draw",
        items=[
            ("75000", "Low", "75,000 vertices"),
            ("300000", "Medium", "300,000 vertices"),
            ("1000000", "High", "A million vertices"),
        ],
        default="300000",
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
    live_mode: EnumProperty(
        name="Live",
        description="What drives the preview",
        items=[
            (
                "TIMELINE",
                "Timeline",
                "The frames of the shot: what is missing or stale is generated, from the current frame on",
            ),
            (
                "FLY",
                "Fly",
                "The camera as it is moved now, by hand, by walk navigation or a device: without end",
            ),
        ],
        default="TIMELINE",
        options=set(),
    )
    live_look: PointerProperty(type=look.InSpatioLiveLook, name="View")
    film_handles: IntProperty(
        name="Handles",
        description="Frames that are generated of each shot of a film before its first and after its last one, "
        "so that there is something to cut with",
        default=8,
        min=0,
        soft_max=48,
        max=1000,
        options=set(),
    )
    unsaved_folder: StringProperty(
        name="Unsaved Folder",
        description="Where the references and takes lie that were made before the file was saved",
        options={"HIDDEN"},
    )

    def frames(self) -> list[int]:
        """The scene frames of the shot; empty where the end lies before the start."""
        start, end = self.frame_range()
        return list(range(start, end + 1))

    def frame_range(self) -> tuple[int, int]:
        """First and last scene frame of the shot."""
        scene = self.id_data
        if self.use_scene_range:
            return scene.frame_start, scene.frame_end
        return self.frame_start, self.frame_end

    def plate_size(self) -> tuple[int, int]:
        """Width and height of plates: what the scene renders."""
        frame = cameras.render_frame(self.id_data)
        return frame.width, frame.height

    def reference_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height of a reference for frames of this size."""
        if self.reference_scale == "PLATE":
            return self.plate_size()
        scale = int(self.reference_scale)
        return size[0] * scale, size[1] * scale

    def is_camera_movie(self) -> bool:
        """Whether the reference is the movie behind one camera, a view a frame, rather than pictures of one moment."""
        return self.reference_kind == "IMAGES" and self.reference_every_frame

    def reference_cameras(self) -> list[bpy.types.Object]:
        """The cameras chosen to capture from, each once; empty: the shot's camera."""
        chosen = [self.reference_camera]
        if self.is_camera_movie():
            return [camera for camera in chosen if camera is not None]
        if self.reference_kind in ("STILLS", "IMAGES"):
            chosen += [self.reference_camera_2, self.reference_camera_3, self.reference_camera_4]
        return list(dict.fromkeys(camera for camera in chosen if camera is not None))


def register():
    look.register()
    bpy.utils.register_class(InSpatioShot)
    bpy.types.Scene.inspatio = PointerProperty(type=InSpatioShot, name="InSpatio")


def unregister():
    del bpy.types.Scene.inspatio
    bpy.utils.unregister_class(InSpatioShot)
    look.unregister()
