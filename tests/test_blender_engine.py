"""“InSpatio World” as a render engine, headless, with a stand-in for the generator behind the real server."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import OpenImageIO
import pytest


@pytest.mark.parametrize("case", ["stills", "outdated", "cameras"])
def test_render(blender, tmp_path, painting_python, case):
    blender.run("engine.py", case, tmp_path, INSPATIO_PYTHON=str(painting_python))


@pytest.mark.parametrize("case", ["edited", "said", "shared", "film"])
def test_render_in_whatever_version(newest_blender, tmp_path, painting_python, case):
    newest_blender.run(
        "engine.py", case, tmp_path, INSPATIO_PYTHON=str(painting_python), INSPATIO_PAINT_SECONDS="0.3"
    )


def test_an_animation_is_its_take_code_by_code(newest_blender, tmp_path, painting_python):
    found = newest_blender.run("engine.py", "animation", tmp_path, INSPATIO_PYTHON=str(painting_python))
    frames = sorted(Path(found["take"]).glob("*.png"))
    written = sorted(Path(found["out"]).glob("*.png"))
    assert [file.name for file in written] == [file.name for file in frames] and len(frames) == 33
    third = sorted(Path(found["third"]).glob("*.png"))
    assert [file.name for file in third] == [frame.name for frame in frames[::3]]
    for files, shown in ((written, frames), (third, frames[::3])):
        for file, frame in zip(files, shown, strict=True):
            assert np.array_equal(read(file)["RGB"], read(frame)["RGB"]), file


def test_every_format_holds_the_codes(blender, tmp_path, painting_python):
    """Read back by OpenImageIO: the take's codes, as exactly as the format can hold them."""
    found = blender.run("engine.py", "formats", tmp_path, INSPATIO_PYTHON=str(painting_python))
    out = Path(found["out"])
    codes = read(Path(found["take"]) / "0004.png")["RGB"].astype(int)
    light = linear(codes)
    assert np.array_equal(read(out / "png8.png")["RGB"], codes)
    sixteen = read(out / "png16.png")["RGB"]
    assert sixteen.dtype == np.uint16 and np.abs(sixteen / 257.0 - codes).max() < 0.01
    jpeg = read(out / "jpeg.jpg")["RGB"].astype(int)
    assert psnr(jpeg, codes) > 35
    half, single = (read(out / f"{name}.exr")["RGB"] for name in ("half", "float"))
    assert half.dtype == np.float16 and np.allclose(half, light, rtol=2**-11, atol=2**-24)
    assert single.dtype == np.float32 and np.allclose(single, light, rtol=1e-6, atol=1e-7)
    layers = read(out / "layers.exr")
    for name in ("Combined", "Generated"):
        assert np.allclose(layers[f"ViewLayer.{name}.RGB"], light, rtol=2**-11, atol=2**-24), name
    assert (layers["ViewLayer.Combined.A"] == 1).all()
    mask, coverage = layers["ViewLayer.Mask.V"], layers["ViewLayer.Coverage.V"]
    depth = layers["ViewLayer.Depth.Z"]
    assert set(np.unique(mask)) <= {0, 1} and 0 < mask.mean() < 0.5
    assert coverage.min() >= 0 and coverage.max() <= 1
    assert coverage[mask == 1].mean() < 0.2 < 0.8 < coverage[mask == 0].mean(), "but for cracks a pixel wide"
    assert np.isclose(depth[mask == 1], 1e10).all() and 2 < np.median(depth[mask == 0]) < 20
    with av.open(str(out / "movie.mp4")) as movie:
        pictures = [picture.to_ndarray(format="rgb24") for picture in movie.decode(video=0)]
    assert len(pictures) == 9 and psnr(pictures[3].astype(int), codes) > 33
    assert np.abs(read(out / "agx.png")["RGB"].astype(int) - codes).max() > 20, (
        "AgX is said to change colours"
    )
    assert np.array_equal(read(out / "mended.png")["RGB"], codes)


def test_a_part_of_the_frame_is_that_part(newest_blender, tmp_path, painting_python):
    found = newest_blender.run("engine.py", "border", tmp_path, INSPATIO_PYTHON=str(painting_python))
    whole, border, crop, half = (
        read(Path(found["out"]) / f"{name}.png")["RGB"] for name in ("whole", "border", "crop", "half")
    )
    assert whole.shape == border.shape == (144, 256, 3) and half.shape == (72, 128, 3)
    part = whole[144 - int(0.52 * 144) : 144 - int(0.1 * 144), int(0.25 * 256) : int(0.6 * 256)]
    assert np.array_equal(crop, part)
    assert not border[:40].any() and np.array_equal(
        border[144 - int(0.52 * 144) : 144 - int(0.1 * 144), int(0.25 * 256) : int(0.6 * 256)], part
    )


def test_a_plate_is_rendered_as_it_is(newest_blender, tmp_path, painting_python):
    found = newest_blender.run("engine.py", "plates", tmp_path, INSPATIO_PYTHON=str(painting_python))
    plate, plain = (read(Path(found["out"]) / f"{name}.png")["RGB"] for name in ("plate", "plain"))
    assert plate.shape == plain.shape == (288, 512, 3)
    assert np.array_equal(plate, read(Path(found["take"]) / "plate" / "0004.png")["RGB"])
    assert not np.array_equal(plate, plain)


def read(path: Path) -> dict[str, np.ndarray]:
    """The channels of every part of a picture as they are stored; those of a colour together."""
    picture = OpenImageIO.ImageInput.open(str(path))
    assert picture is not None, OpenImageIO.geterror()
    found, part = {}, 0
    while picture.seek_subimage(part, 0):
        spec = picture.spec()
        kinds = spec.channelformats or [spec.format] * spec.nchannels
        for index, (name, kind) in enumerate(zip(spec.channelnames, kinds, strict=True)):
            found[name] = picture.read_image(part, 0, index, index + 1, kind)[..., 0]
        part += 1
    picture.close()
    for name in [name for name in found if name.split(".")[-1] == "R"]:
        stem = name[:-1]
        found[f"{stem}RGB"] = np.stack([found[f"{stem}{letter}"] for letter in "RGB"], -1)
    return found


def linear(codes: np.ndarray) -> np.ndarray:
    """Linear light of sRGB codes."""
    share = codes / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a - b) ** 2.0)))
