"""What gives the picture behind a camera its depth, kept with the camera: `Camera.inspatio`."""

import bpy
from bpy.props import EnumProperty, FloatProperty, PointerProperty, StringProperty

from ..backend.protocol.sources import DEPTH_NETWORKS

FILE, STAND_INS = "FILE", "STAND_INS"
RELATIVE = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()
"""Paths beside the blend file; earlier versions take every path for one that may be."""

_NETWORKS = {
    "depth": "Guessed from the picture, its unit and its contrast too",
    "depth-indoor": "Guessed from the picture in metres, for rooms",
    "depth-outdoor": "Guessed from the picture in metres, for streets and landscapes",
}


def _is_point(_self, candidate: bpy.types.Object) -> bool:
    return candidate.type != "CAMERA"


class InSpatioPicture(bpy.types.PropertyGroup):
    """Depth of the picture behind a camera."""

    depth_from: EnumProperty(
        name="Depth",
        description="Where the depth of the picture behind this camera comes from",
        items=[
            (FILE, "Depth Map", "A file: OpenEXR, 16-bit PNG or NumPy"),
            (
                STAND_INS,
                "Stand-Ins",
                "Planes, boxes and models of the scene, in place of what the picture shows",
            ),
            *(
                (name, f"{DEPTH_NETWORKS[name].label}", f"{text}. Licence: {DEPTH_NETWORKS[name].licence}")
                for name, text in _NETWORKS.items()
            ),
        ],
        default=FILE,
        options=set(),
    )
    depth_file: StringProperty(
        name="Depth Map",
        description="Depth of the picture behind this camera, of the picture's shape: OpenEXR, 16-bit PNG or NumPy",
        subtype="FILE_PATH",
        options=RELATIVE,
    )
    encoding: EnumProperty(
        name="Values",
        description="What the depth map holds",
        items=[
            ("planar", "Depth", "Depth along the camera's axis, as Blender's own Z pass has it"),
            ("ray", "Distance", "Distance from the camera along each ray, as scanners measure it"),
            ("inverse", "Inverse Depth", "One over the depth, 0 is sky"),
        ],
        default="planar",
        options=set(),
    )
    range_low: FloatProperty(
        name="Lowest",
        description="What 0 stands for in a depth map of 16-bit numbers. At 0 it means that there is no depth",
        default=0.0,
        min=0.0,
        soft_max=1000.0,
        options=set(),
    )
    range_high: FloatProperty(
        name="Highest",
        description="What 65535 stands for in a depth map of 16-bit numbers",
        default=10.0,
        min=1e-6,
        soft_max=1000.0,
        options=set(),
    )
    known_from: PointerProperty(
        type=bpy.types.Object,
        name="Scale From",
        description="Object that lies on something in the picture. The depth is scaled to its distance from the other "
        "object, or, without another, so that what it covers is as long as it is",
        poll=_is_point,
        options=set(),
    )
    known_to: PointerProperty(
        type=bpy.types.Object,
        name="To",
        description="Object that lies on something else in the picture",
        poll=_is_point,
        options=set(),
    )


def register():
    bpy.utils.register_class(InSpatioPicture)
    bpy.types.Camera.inspatio = PointerProperty(type=InSpatioPicture, name="InSpatio")


def unregister():
    del bpy.types.Camera.inspatio
    bpy.utils.unregister_class(InSpatioPicture)
