"""How a PNG file of colour is put together, for whoever has its rows: Blender's side and the backend's."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xaeB`\x82"
"""The last bytes of every PNG file: one that was cut short lacks them."""


def png_of_rows(width: int, height: int, rows: bytes | memoryview, level: int) -> bytes:
    """A file of sRGB colour with 8 bits. rows: each its filter's number, then its bytes. level: zlib's, 0 to store."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"sRGB", b"\0"), (b"IDAT", zlib.compress(rows, level)))
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts) + END


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
