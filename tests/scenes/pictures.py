"""Small generated pictures: paintings, posters, signs, rugs, screens (numpy and OpenCV, no files)."""

import cv2
import numpy as np

PALETTES = (
    ("264653", "2a9d8f", "e9c46a", "f4a261", "e76f51"), ("1d3557", "457b9d", "a8dadc", "f1faee", "e63946"),
    ("606c38", "283618", "fefae0", "dda15e", "bc6c25"), ("5f0f40", "9a031e", "fb8b24", "e36414", "0f4c5c"),
    ("003049", "d62828", "f77f00", "fcbf49", "eae2b7"), ("22223b", "4a4e69", "9a8c98", "c9ada7", "f2e9e4"),
    ("355070", "6d597a", "b56576", "e56b6f", "eaac8b"), ("132a13", "31572c", "4f772d", "90a955", "ecf39e"),
)  # fmt: skip
WORDS = (
    "MERCADO", "NOVA", "CIRCUS", "TEA ROOM", "PARK", "JAZZ", "OPERA", "MUSEUM", "SALE", "FERRY", "ORCHARD",
    "RADIO", "HOTEL", "BAKERY", "STUDIO", "HARBOUR", "CINEMA", "NORTH", "SUMMER", "EXPO",
)  # fmt: skip


def rgb(colour: str) -> tuple[int, int, int]:
    """'b5651d' as 0..255."""
    return int(colour[:2], 16), int(colour[2:4], 16), int(colour[4:6], 16)


def palette(rng: np.random.Generator) -> list[tuple[int, int, int]]:
    """Five colours that go together, in random order."""
    chosen = PALETTES[rng.integers(len(PALETTES))]
    return [rgb(chosen[i]) for i in rng.permutation(5)]


def landscape(rng: np.random.Generator, size: tuple[int, int] = (192, 144)) -> np.ndarray:
    """Hills in layers under a low sun."""
    width, height = size
    colours = palette(rng)
    ramp = np.linspace(0, 1, height)[:, None, None]
    image = ((1 - ramp) * np.array(colours[0]) + ramp * np.array(colours[1])) * np.ones((1, width, 1))
    image = image.astype(np.uint8)
    centre = (int(rng.uniform(0.2, 0.8) * width), int(rng.uniform(0.2, 0.45) * height))
    cv2.circle(image, centre, int(height * rng.uniform(0.07, 0.14)), colours[2], -1, cv2.LINE_AA)
    x = np.arange(width)
    for layer in range(4):
        base = height * (0.45 + 0.13 * layer)
        line = base + sum(
            height * 0.09 / (k + 1) * np.sin(x * rng.uniform(0.01, 0.05) * (k + 1) + rng.uniform(0, 6))
            for k in range(3)
        )
        points = np.concatenate([np.stack([x, line], 1), [[width, height], [0, height]]]).astype(np.int32)
        tone = np.array(colours[3 if layer % 2 else 4]) * (0.55 + 0.15 * layer)
        cv2.fillPoly(image, [points], tuple(int(min(255, c)) for c in tone), cv2.LINE_AA)
    return image


def abstract(rng: np.random.Generator, size: tuple[int, int] = (160, 160)) -> np.ndarray:
    """Blocks, bars and discs."""
    width, height = size
    colours = palette(rng)
    image = np.full((height, width, 3), colours[0], np.uint8)
    for _ in range(int(rng.integers(8, 18))):
        colour = colours[1 + rng.integers(4)]
        x, y = rng.integers(0, width), rng.integers(0, height)
        w, h = rng.integers(width // 12, width // 2), rng.integers(height // 12, height // 2)
        kind = rng.integers(3)
        if kind == 0:
            cv2.rectangle(image, (int(x), int(y)), (int(x + w), int(y + h)), colour, -1)
        elif kind == 1:
            cv2.circle(image, (int(x), int(y)), int(min(w, h) // 2 + 4), colour, -1, cv2.LINE_AA)
        else:
            cv2.line(
                image,
                (int(x), int(y)),
                (int(x + w), int(y - h)),
                colour,
                int(rng.integers(2, 10)),
                cv2.LINE_AA,
            )
    return image


def portrait(rng: np.random.Generator, size: tuple[int, int] = (144, 192)) -> np.ndarray:
    """A head and shoulders."""
    width, height = size
    colours = palette(rng)
    shade = rng.uniform(0.5, 1.0, (12, 9, 1))
    shade = cv2.resize(shade, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    image = np.clip(np.array(colours[0]) * shade, 0, 255).astype(np.uint8)
    middle = width // 2
    skin = rgb(("e0b08c", "b07a56", "7c5238", "f0cdb0")[rng.integers(4)])
    cv2.ellipse(
        image,
        (middle, height),
        (int(width * 0.4), int(height * 0.36)),
        0,
        180,
        360,
        colours[1],
        -1,
        cv2.LINE_AA,
    )
    cv2.ellipse(
        image,
        (middle, int(height * 0.38)),
        (int(width * 0.22), int(height * 0.21)),
        0,
        0,
        360,
        colours[2],
        -1,
        cv2.LINE_AA,
    )
    cv2.rectangle(image, (middle - 10, int(height * 0.5)), (middle + 10, int(height * 0.68)), skin, -1)
    cv2.ellipse(
        image,
        (middle, int(height * 0.43)),
        (int(width * 0.17), int(height * 0.17)),
        0,
        0,
        360,
        skin,
        -1,
        cv2.LINE_AA,
    )
    for side in (-1, 1):
        cv2.circle(
            image, (middle + side * int(width * 0.07), int(height * 0.42)), 3, (40, 30, 30), -1, cv2.LINE_AA
        )
    cv2.line(
        image,
        (middle - 7, int(height * 0.51)),
        (middle + 7, int(height * 0.51)),
        (140, 60, 60),
        2,
        cv2.LINE_AA,
    )
    return image


def poster(rng: np.random.Generator, size: tuple[int, int] = (144, 200), word: str = "") -> np.ndarray:
    """A big word, a figure, small print."""
    width, height = size
    colours = palette(rng)
    image = np.full((height, width, 3), colours[0], np.uint8)
    inner = abstract(rng, (width - 24, int(height * 0.5)))
    image[12 : 12 + inner.shape[0], 12 : 12 + inner.shape[1]] = inner
    word = word or WORDS[rng.integers(len(WORDS))]
    ink = colours[1] if np.ptp([sum(colours[0]), sum(colours[1])]) > 120 else (245, 240, 230)
    write(image, word, (width // 2, int(height * 0.72)), width - 20, ink)
    for line in range(3):
        y = int(height * (0.82 + 0.055 * line))
        cv2.line(image, (16, y), (width - 16 - int(rng.integers(0, 50)), y), ink, 2)
    return image


def sign(word: str, ground: str, ink: str, size: tuple[int, int] = (256, 64)) -> np.ndarray:
    """A shop's sign with a border."""
    image = np.full((size[1], size[0], 3), rgb(ground), np.uint8)
    cv2.rectangle(image, (4, 4), (size[0] - 5, size[1] - 5), rgb(ink), 2)
    write(image, word, (size[0] // 2, size[1] // 2), int(size[0] * 0.82), rgb(ink))
    return image


def write(
    image: np.ndarray, word: str, centre: tuple[int, int], width: int, ink: tuple[int, int, int]
) -> None:
    """Draw a word centred on a point, as wide as `width`, at most."""
    font = cv2.FONT_HERSHEY_TRIPLEX
    (w, h), _ = cv2.getTextSize(word, font, 1.0, 2)
    scale = min(width / w, image.shape[0] * 0.55 / h)
    (w, h), _ = cv2.getTextSize(word, font, scale, max(1, round(scale * 2)))
    cv2.putText(
        image,
        word,
        (centre[0] - w // 2, centre[1] + h // 2),
        font,
        scale,
        ink,
        max(1, round(scale * 2)),
        cv2.LINE_AA,
    )


def rug(rng: np.random.Generator, size: tuple[int, int] = (240, 160)) -> np.ndarray:
    """A carpet: borders, a field of small figures, a medallion; symmetric both ways."""
    width, height = size
    colours = palette(rng)
    half = np.full((height // 2, width // 2, 3), colours[0], np.uint8)
    for _ in range(26):
        centre = (int(rng.integers(0, width // 2)), int(rng.integers(0, height // 2)))
        cv2.drawMarker(
            half, centre, colours[1 + rng.integers(4)], int(rng.integers(4)), int(rng.integers(6, 14)), 2
        )
    for ring, radius in enumerate((0.9, 0.7, 0.45, 0.2)):
        axes = (int(width * 0.24 * radius), int(height * 0.34 * radius))
        cv2.ellipse(half, (width // 2, height // 2), axes, 0, 0, 360, colours[1 + ring % 4], -1, cv2.LINE_AA)
    for border, inset in enumerate((0, 7, 12, 20)):
        cv2.rectangle(half, (inset, inset), (width, height), colours[1 + border % 4], 4 if border else 12)
    for k in range(0, width // 2, 12):
        cv2.circle(half, (k, 16), 3, colours[2], -1, cv2.LINE_AA)
    for k in range(0, height // 2, 12):
        cv2.circle(half, (16, k), 3, colours[2], -1, cv2.LINE_AA)
    top = np.concatenate([half, half[:, ::-1]], 1)
    return np.concatenate([top, top[::-1]], 0)


def map_sheet(rng: np.random.Generator, size: tuple[int, int] = (200, 140)) -> np.ndarray:
    """Land, sea, contour lines and roads."""
    field = cv2.resize(rng.random((4, 5)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    levels = np.clip((field * 7).astype(int), 0, 6)
    tones = np.array(
        [rgb(c) for c in ("8fb8c9", "a9cbd6", "d8dcae", "c3cf96", "b3a878", "a08a62", "8a7454")], np.uint8
    )
    image = tones[levels].copy()
    for _ in range(5):
        points = np.stack([np.linspace(0, size[0], 9), rng.uniform(0, size[1], 9)], 1).astype(np.int32)
        cv2.polylines(image, [points], False, (150, 60, 50), 1, cv2.LINE_AA)
    cv2.rectangle(image, (0, 0), (size[0] - 1, size[1] - 1), (70, 60, 50), 6)
    return image


def any_picture(rng: np.random.Generator) -> np.ndarray:
    """One of the kinds above that hang on a wall."""
    return (landscape, abstract, portrait, poster, map_sheet)[rng.integers(5)](rng)
