"""What the demo leaves as shot.blend, looked at: `python -m tests.scenes.demo_check FILE.blend`.

Opened anew, background and strip must be there, of files that exist, by paths relative to it.
"""

import sys
from pathlib import Path

import bpy


def check_blend(blend: Path) -> None:
    """Open the saved shot: its background and strip must be there, of files that exist, by relative paths."""
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    scene = bpy.context.scene
    pictures = [b.image for b in scene.camera.data.background_images if b.image is not None]
    editor = scene.sequence_editor
    strips = list(editor.strips if hasattr(editor, "strips") else editor.sequences)
    paths = [image.filepath for image in pictures] + [strip.directory for strip in strips]
    if len(pictures) != 1 or len(strips) != 1:
        raise RuntimeError(
            f"{blend} holds {len(pictures)} backgrounds and {len(strips)} strips instead of one each"
        )
    for path in paths:
        if not path.startswith("//") or not Path(bpy.path.abspath(path)).exists():
            raise RuntimeError(f"{blend} names {path}, which is not beside it")


if __name__ == "__main__":
    check_blend(Path(sys.argv[1]))
