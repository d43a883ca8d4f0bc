"""InSpatio's backend: the process beside Blender that generates the frames of a shot.

Blender imports nothing of this package but `backend.protocol`. The version lives here so that the
package's metadata, the ready line and take.json tell the same.
"""

__version__ = "0.1.0"
