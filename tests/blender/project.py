"""Our cameras against Blender's own projection, over many random cameras. Reports the worst error in pixels."""

import math

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from door import enable, main, part
from hypothesis import given, settings
from hypothesis import strategies as st
from mathutils import Vector

WORST = {"view": 0.0, "matrix": 0.0, "cases": 0}


# Blender computes in float32: cameras far off, close-ups and extreme lenses would measure only its rounding.
def number(low, high):
    return st.floats(low, high, allow_nan=False)


setups = st.fixed_dictionaries(
    {
        "location": st.tuples(*[number(-10, 10)] * 3),
        "rotation": st.tuples(*[number(-math.pi, math.pi)] * 3),
        "scale": number(0.1, 10),
        "lens": number(8, 135),
        "sensor": st.tuples(number(18, 60), number(18, 60)),
        "fit": st.sampled_from(["AUTO", "HORIZONTAL", "VERTICAL"]),
        "shift": st.tuples(number(-1, 1), number(-1, 1)),
        # Blender's `view_frame` knows nothing of pixels that a percentage cuts off, its renders do: none are here.
        "resolution": st.tuples(
            st.integers(4, 100).map(lambda n: 20 * n), st.integers(4, 100).map(lambda n: 20 * n)
        ),
        "percentage": st.integers(5, 40).map(lambda n: 5 * n),
        "aspect": st.sampled_from([(1, 1), (2, 1), (1, 2), (1.42, 1), (1, 1.0667)]),
        "size": st.tuples(st.integers(1, 60), st.integers(1, 60)),
        "points": st.lists(
            st.tuples(number(-0.7, 0.7), number(-0.7, 0.7), number(4, 50)), min_size=1, max_size=4
        ),
    }
)


def test():
    enable()
    cameras = part("inspatio_blender.cameras")
    scene = bpy.context.scene
    data = bpy.data.cameras.new("Random")
    camera = bpy.data.objects.new("Random", data)
    scene.collection.objects.link(camera)
    scene.camera = camera

    @settings(max_examples=400, deadline=None, database=None, derandomize=True)
    @given(setups)
    def agrees(setup):
        camera.location, camera.rotation_euler = setup["location"], setup["rotation"]
        camera.scale = [setup["scale"]] * 3
        data.lens, data.sensor_fit = setup["lens"], setup["fit"]
        data.sensor_width, data.sensor_height = setup["sensor"]
        data.shift_x, data.shift_y = setup["shift"]
        render = scene.render
        render.resolution_x, render.resolution_y = setup["resolution"]
        render.resolution_percentage = setup["percentage"]
        render.pixel_aspect_x, render.pixel_aspect_y = setup["aspect"]
        width, height = setup["size"][0] * 16, setup["size"][1] * 16
        bpy.context.view_layer.update()
        k, pose, _ = cameras.sample(scene, bpy.context.view_layer, None, (width, height))
        frame = cameras.render_frame(scene)
        # A point that lies so many half frames off the middle, at some depth.
        exact = np.linalg.inv(np.vstack([pose[:3], [0, 0, 0, 1]]))
        for right, up, depth in setup["points"]:
            local = np.linalg.inv(k) @ [(0.5 + right) * width - 0.5, (0.5 + up) * height - 0.5, 1.0] * depth
            point = (exact @ [*local, 1.0])[:3]
            seen = pose @ [*point, 1.0]
            mine = (k @ (seen[:3] / seen[2]))[:2]
            theirs = world_to_camera_view(scene, camera, Vector(point))
            theirs = np.array([theirs.x * width - 0.5, (1.0 - theirs.y) * height - 0.5])
            WORST["view"] = max(WORST["view"], float(np.abs(mine - theirs).max()))
        matrix = np.array(
            camera.calc_matrix_camera(
                bpy.context.view_layer.depsgraph,
                x=frame.width,
                y=frame.height,
                scale_x=frame.aspect_x,
                scale_y=frame.aspect_y,
            )
        )
        theirs = np.array(
            [
                matrix[0, 0] * width / 2,
                matrix[1, 1] * height / 2,
                (1 - matrix[0, 2]) * width / 2 - 0.5,
                (1 + matrix[1, 2]) * height / 2 - 0.5,
            ]
        )
        mine = np.array([k[0, 0], k[1, 1], k[0, 2], k[1, 2]])
        # As pixels at the frame's edge: a focal length counts by the angle that the frame takes.
        reach = np.array([width / 2 / k[0, 0], height / 2 / k[1, 1], 1, 1])
        WORST["matrix"] = max(WORST["matrix"], float((np.abs(mine - theirs) * reach).max()))
        WORST["cases"] += 1

    agrees()
    return WORST


main(test)
