"""“InSpatio World” as a render engine: chosen in the render properties like any other, through the same takes.

engine.py     what Blender calls, and nothing else
rendering.py  one render, from F12 to its end: the shot sampled, its takes, a picture a frame
matching.py   which take has a frame already (bpy-free)
passes.py     from codes to what a compositor reads (bpy-free)
viewport.py   Rendered shading: the live preview's picture
"""

ENGINE = "INSPATIO"
"""What `scene.render.engine` says where it is chosen."""
