"""What Blender and the backend agree on: names, limits, and the forms of files and bodies.

Standard library only: this package is imported inside Blender's Python (3.11 to 3.13), where there is no
torch and nothing may be installed. `docs/protocol.md` and `docs/files.md` describe what it holds.

    envelope   JSON header + raw blobs in one body
    cameras    intrinsics and world-to-camera per frame, and what counts as one
    files      reference.json, shot.json, take.json on disk
    blocks     how a frame range is cut into blocks
"""

PROTOCOL_VERSION = 6

TOKEN_VARIABLE = "INSPATIO_TOKEN"
"""Environment variable in which the backend finds the bearer token that every request has to carry."""

WEIGHTS_VARIABLE = "INSPATIO_WEIGHTS"
"""Environment variable that names the folder of downloaded weights, where it is not the user's own."""

DEVICE_VARIABLE = "INSPATIO_DEVICE"
"""Environment variable that has the backend compute on the CPU where it says "cpu"."""

PRECISION_VARIABLE = "INSPATIO_PRECISION"
"""Environment variable that names the precision of the large presets: bf16, fp8 or float32."""

PROTOCOL_HEADER = "X-InSpatio-Protocol"
ENVELOPE_TYPE = "application/x-inspatio-envelope"
JSON_TYPE = "application/json"

STATUS_PATH = "/v1/status"
REFERENCES_PATH = "/v1/references"
COVERAGE_PATH = "/v1/coverage"
PLAN_PATH = "/v1/plan"
TAKES_PATH = "/v1/takes"
MOVIES_PATH = "/v1/movies"
PLATES_PATH = "/v1/plates"
SHUTDOWN_PATH = "/v1/shutdown"

MIB = 1024 * 1024
MAX_JSON_BYTES = 1 * MIB
"""Largest JSON body."""
MAX_HEADER_BYTES = 4 * MIB
"""Largest header of an envelope: a moving reference names its views there."""
MAX_CAMERAS_BYTES = 4 * MIB
"""Largest envelope that carries cameras only (a block, or a coverage request)."""
MAX_SNAPSHOT_BYTES = 512 * MIB
MAX_PICTURE_BYTES = 64 * MIB
"""Largest PNG of a movie's frame."""
MAX_MOVIE_FRAMES_BYTES = 65536 * MIB
"""Largest envelope of a movie's frames: of these, one is held at a time."""
MAX_MOVIE_BYTES = 1000 * MIB
MAX_FPS = 1000
MAX_REFERENCE_BYTES = 1024 * MIB
MAX_COVERAGE_CAMERAS = 2000
MAX_REFERENCES = 4
MAX_TAKES = 8
MAX_SIDE = 8192
"""Largest width or height of a reference view or of a target frame, in pixels."""
MAX_PLATE_PIXELS = 36 * 1024 * 1024
"""Most pixels of one plate: 8K, a little more."""
MAX_PLATES_PIXELS = 64 * 1024 * 1024
"""Most pixels of the plates that are asked for at a time, where they are more than one."""
MAX_PLATE_FRAMES_BYTES = 256 * MIB
"""Largest envelope of frames to be developed."""


def plates_at_a_time(width: int, height: int) -> int:
    """How many plates of this size may be asked for at a time."""
    return max(1, MAX_PLATES_PIXELS // (width * height))
