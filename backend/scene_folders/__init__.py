"""The release's scene folders, read into shot folders of ours and written from them. Needs no Blender.

    scene.py        Scene: what a folder of either kind holds, in one form
    release_1_5.py  Scene <-> version 1.5's folder (scene.json, input/, depth/)
    release_1.py    Scene <-> version 1's folder (images/, depth/, and a trajectory of three lines)
    shot.py         Scene <-> our shot folder (shot.json, reference/)
    depth.py        depth <-> 16-bit steps between a scene's nearest and farthest
    film.py         lossless movies, for colour and depth of a video
    folder.py       files of a folder that comes from someone; a folder that appears whole or not at all
    convert.py      import_scene, export_scene

docs/scene_folders.md says what is read, what is written and what is lost.
"""

from .convert import VERSIONS, export_scene, import_scene
from .folder import SceneFolderError

__all__ = ["VERSIONS", "SceneFolderError", "export_scene", "import_scene"]
