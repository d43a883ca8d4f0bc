"""How the live picture lies in the viewport: `scene.inspatio.live_look`.

Main thread only.
"""

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty


def _redraw(kind: str) -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == kind:
                area.tag_redraw()


def _look_changed(_look, _context):
    _redraw("VIEW_3D")


def _frames_changed(_look, _context):
    _redraw("DOPESHEET_EDITOR")


class InSpatioLiveLook(bpy.types.PropertyGroup):
    """Where the picture lies, how it is mixed with the scene, and what is written on it."""

    place: EnumProperty(
        name="Place",
        description="Whether the picture lies before or behind the objects of the scene",
        items=[
            ("OVER", "Over", "Before the objects: the picture is what the camera sees"),
            (
                "UNDER",
                "Set Extension",
                "Behind the objects: those that are in the viewport stay on top, the picture goes on around them",
            ),
        ],
        default="OVER",
        update=_look_changed,
        options=set(),
    )
    mix: EnumProperty(
        name="Mix",
        description="How the picture is mixed with what the viewport shows",
        items=[
            ("NORMAL", "Normal", "The picture, as opaque as Opacity says"),
            ("WIPE", "Wipe", "The picture on the left, the viewport on the right"),
            (
                "DIFFERENCE",
                "Difference",
                "How far the two are apart, black where they are alike. The viewport is drawn twice for it",
            ),
        ],
        default="NORMAL",
        update=_look_changed,
        options=set(),
    )
    opacity: FloatProperty(
        name="Opacity",
        description="How opaque the picture is",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_look_changed,
        options=set(),
    )
    wipe: FloatProperty(
        name="Position",
        description="Where the wipe is, as a share of the frame's width",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_look_changed,
        options=set(),
    )
    dim_stale: BoolProperty(
        name="Dim Stale Frames",
        description="Darken frames that were generated before the last edit, until they are generated anew",
        default=True,
        update=_look_changed,
        options=set(),
    )
    show_badge: BoolProperty(
        name="Badge",
        description="Write frame, state, frames a second and coverage in the corner of the camera's frame",
        default=True,
        update=_look_changed,
        options=set(),
    )
    show_frames: BoolProperty(
        name="Generated Frames",
        description="Mark which frames are generated or stale in timeline and dope sheet",
        default=True,
        update=_frames_changed,
        options=set(),
    )


def register():
    bpy.utils.register_class(InSpatioLiveLook)


def unregister():
    bpy.utils.unregister_class(InSpatioLiveLook)
