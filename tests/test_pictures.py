"""PNG files that others read as they were meant, byte by byte."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from backend.pictures import decode_png, encode_png, png_header, store_png


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (48, 64)])
@pytest.mark.parametrize(("depth", "channels"), [(np.uint8, 3), (np.uint8, 0), (np.uint16, 0)])
def test_a_png_is_read_as_it_was_written(size: tuple[int, int], depth: type, channels: int) -> None:
    shape = (*size, channels) if channels else size
    picture = np.random.default_rng(3).integers(0, np.iinfo(depth).max, shape, depth, endpoint=True)
    picture = picture[::-1]  # not contiguous
    data = encode_png(picture)
    assert png_header(data) == (size[1], size[0], 8 * picture.itemsize, 2 if channels else 0)
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found.dtype == depth
    assert np.array_equal(found[:, :, ::-1] if channels else found, picture)
    if channels:
        assert np.array_equal(decode_png(data, size[1], size[0]), picture)
        stored = store_png(picture)
        assert png_header(stored) == png_header(data)
        assert np.array_equal(decode_png(stored, size[1], size[0]), picture)
