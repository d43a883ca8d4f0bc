"""Export Job of a film of two shots, whole and cut; then the takes that the add-on itself makes of them."""

from pathlib import Path

import bpy
from door import main, part, raises
from film_of_two import film_of_two


def exported(folder, **options):
    """Press Export Job; returns the folder that it says."""
    before = set(folder.iterdir()) if folder.exists() else set()
    folder.mkdir(exist_ok=True)
    assert bpy.ops.inspatio.export_job(directory=str(folder), **options) == {"FINISHED"}
    (new,) = set(folder.iterdir()) - before
    return new


def test(folder, length):
    folder, length = Path(folder), int(length)
    file = film_of_two(folder, length, name="Käfer & Söhne.blend")
    film, scene = part("inspatio_blender.film"), bpy.context.scene
    first = film.parts(scene)[0]
    scene.timeline_markers["Shot 1"].name = "Größe 1"
    (file.parent / "inspatio/Shot_1").rename(file.parent / "inspatio/Größe_1")
    first = film.parts(scene)[0]
    film.use_part(scene, first)
    bpy.ops.wm.save_mainfile()
    with raises(RuntimeError, "No folder is named"):
        bpy.ops.inspatio.export_job()
    jobs = folder / "jobs of this week"
    scene.frame_set(7)
    whole = exported(jobs)
    assert scene.frame_current == 7, "the playhead is where it was"
    assert film.is_used(scene, first), "the active shot, too"
    cut = exported(jobs, which="ACTIVE", every=12)
    scene.inspatio.preset, scene.inspatio.quality = "inspatio-1.5-1.3b", "final"
    gpu = exported(jobs, every=12)
    scene.inspatio.preset = "tiny"
    # Without a reference a shot is left out; without any there is no job.
    second = file.parent / "inspatio/Shot_2"
    second.rename(folder / "away")
    some = exported(jobs)
    assert [path.name for path in (some / "shots").iterdir()] == ["Größe_1"]
    (file.parent / "inspatio/Größe_1").rename(folder / "away too")
    with raises(RuntimeError, "is left out: there is no reference yet"):
        bpy.ops.inspatio.export_job(directory=str(jobs))
    with raises(RuntimeError, "There is no reference yet"):
        bpy.ops.inspatio.export_job(directory=str(jobs), which="ACTIVE")
    (folder / "away").rename(second)
    (folder / "away too").rename(file.parent / "inspatio/Größe_1")
    assert not list(jobs.glob(".*")), "nothing half made is left"
    takes = []
    for shot in film.parts(scene):
        film.use_part(scene, shot)
        assert bpy.ops.inspatio.generate() == {"FINISHED"}
        takes.append(str(part("inspatio_blender.driver").get().progress.folder))
    return {"whole": str(whole), "cut": str(cut), "gpu": str(gpu), "takes": takes}


main(test)
