"""References from pictures and depth that did not come out of Blender: `inspatio recover`.

request = from_pictures([Path("photo.jpg")], Asked(depth=(Path("photo.exr"),)))      # or read_views(Path("views.json"))
recover(request, Path("reference"))
"""

from .error import RecoverError
from .recovering import recover
from .request import Asked, Request, from_pictures, read_views

__all__ = ["Asked", "RecoverError", "Request", "from_pictures", "read_views", "recover"]
