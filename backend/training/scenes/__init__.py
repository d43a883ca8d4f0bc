"""Synthetic multi-view sequences to train on: random scenes, procedural textures, moving cameras, exact depth.

    python -m backend.training.scenes --out DIR --count N --seed S --workers W

From a random generator of (seed, index): `layout` picks a layout (`interiors`, `exteriors`, `landscapes`), which fills
a `scene.Scene` with groups made by `props`, `fixtures`, `trinkets`, `nature`, `buildings` and `moving` out of the
geometry in `meshes` and `organic`, in materials whose pictures `textures` draws, under `lighting`. `moves` draws a
camera move and sizes it by the share of the view it uncovers. `raster` draws colour and z with moderngl on EGL, which
Mesa's software renderer serves (apt-get install libegl1 libgl1-mesa-dri). `sequence` defines the file.

Tested by tests/test_training_scenes.py: the same seed gives the same file, frames agree when they are warped onto each
other, and half a pixel of offset makes the agreement worse.
"""
