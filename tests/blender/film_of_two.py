"""A saved film of two shots, each with a reference of its own."""

from pathlib import Path

import bpy
from door import enable, main, part
from film import film_scene


def film_of_two(folder, length, name="film.blend"):
    """Its file; the shots are Shot_1 and Shot_2, of `length` frames each."""
    enable()
    scene = film_scene(folder, 2, int(length), name=name)
    film = part("inspatio_blender.film")
    for shot in film.parts(scene):
        film.use_part(scene, shot)
        assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    bpy.ops.wm.save_mainfile()
    return Path(bpy.data.filepath)


if __name__ == "__main__":
    main(lambda folder, length: str(film_of_two(folder, length)))
