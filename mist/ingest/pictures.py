"""PNG and JPEG files into flat images.

The rule: samples are those in the file: 16 bits stay 16, transparency stays a channel, one bit becomes 0 and 1, two
become 0 to 3, four 0 to 15. Palette pictures become the colours that they show, except in a mask, whose indices are the
labels. JPEG samples are what Pillow decodes. EXIF orientation is not applied: it turns the picture that is shown, not
the samples that are stored.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from types import MappingProxyType

import imagecodecs
import numpy as np
from PIL import Image, UnidentifiedImageError

from mist.errors import SourceRefused
from mist.geometry import geometry_of_indices
from mist.ingest.png_file import PngFile, require_all_rows
from mist.ingest.sample_type import to_voxels
from mist.ingest.source import Contents, DecodedSource
from mist.ingest.whole_jpeg import require_whole_jpeg
from mist.png_rows import CHANNELS
from mist.volume import Volume, Voxels

_DEEP_COLOUR_TYPES = frozenset({2, 4, 6})
"""PNG colour types (RGB, grey with alpha, RGBA) that Pillow cuts to 8 bits where the file has 16."""

_SHALLOW_STEPS = {2: 85, 4: 17}
"""Of grey of so many bits, what Pillow multiplies samples by. They may be the labels of a mask."""

_MODES = frozenset({"1", "L", "LA", "I;16", "I;16B", "I", "F", "RGB", "RGBA"})
"""Pillow's modes whose arrays hold the samples of the file."""

_PLAIN_MODES = frozenset({"L", "LA", "I;16", "RGB", "RGBA"})
"""Those in which Pillow leaves the samples of a PNG file as they are."""


def read_picture(path: Path, *, is_mask: bool, held: Contents = MappingProxyType({})) -> DecodedSource:
    """The image in the file at `path`, which is read unless it is `held`.

    Raises
    ------
    SourceRefused
        An animation, a colour space other than grey and RGB, or a picture so large that it may be meant to exhaust
        memory (by Pillow's `MAX_IMAGE_PIXELS`).
    """
    data = held[path] if path in held else path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with _opened(data) as picture:
            unwrapped, plain = _unwrapped(data)
            if unwrapped is None and picture.format == "PNG":
                require_all_rows(data)
            require_whole_jpeg(data)
            is_deep = _is_deep_colour(data)
            samples = _deep_samples(data) if is_deep else _samples(picture, data, plain, is_mask=is_mask)
    voxels = to_voxels(samples)
    axes = "yx" if voxels.ndim == 2 else "yxc"
    return DecodedSource(Volume(voxels, axes, geometry_of_indices()), unwrapped=unwrapped)


def _opened(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data))
    except UnidentifiedImageError:  # which would tell an address in memory
        raise SourceRefused("it begins like a picture, and what follows is damaged; get the file again") from None


def _step(data: bytes) -> int:
    """How far apart Pillow puts samples that are next to each other: grey of 2 and 4 bits it spreads over 8."""
    is_shallow = data.startswith(b"\x89PNG") and data[24] in _SHALLOW_STEPS and data[25] == 0
    return _SHALLOW_STEPS[data[24]] if is_shallow else 1


def _is_deep_colour(data: bytes) -> bool:
    """Whether this is a PNG with 16 bits a channel and several channels (PNG 11.2.1: depth and colour type in IHDR)."""
    return data.startswith(b"\x89PNG") and data[24] == 16 and data[25] in _DEEP_COLOUR_TYPES


def _deep_samples(data: bytes) -> Voxels:
    """The samples of the file, without the transparency that libpng makes of a colour which is said to be clear."""
    return np.asarray(imagecodecs.png_decode(data))[..., : CHANNELS[data[25]]]


def _samples(picture: Image.Image, data: bytes, plain: Voxels | None, *, is_mask: bool) -> Voxels:
    frames = getattr(picture, "n_frames", 1)
    if frames > 1:
        raise SourceRefused(f"an animation of {frames} frames; save each one as a picture")
    if picture.mode == "P" and not is_mask:
        _require_colours(picture)
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    if picture.mode not in _MODES and not (picture.mode == "P" and is_mask):
        raise SourceRefused(f"a picture in the colour space {picture.mode}; convert it to grey or RGB")
    if plain is not None and picture.format == "PNG" and picture.mode in _PLAIN_MODES:
        return plain
    samples = np.asarray(picture)
    return samples if (step := _step(data)) == 1 else samples // np.uint8(step)


def _require_colours(picture: Image.Image) -> None:
    """Refuse indices beyond the palette (PNG 11.2.2), of which programs show black, or something else."""
    colours, most = len(picture.getpalette() or ()) // 3, int(np.asarray(picture).max())
    if most >= colours:
        raise SourceRefused(f"its palette has {colours} colours, and a pixel the index {most}; export it anew")


def _unwrapped(data: bytes) -> tuple[memoryview | None, Voxels | None]:
    """What is unwrapped of a PNG file, and what Pillow would decode of it, in a third of the time.

    None and None for other files; None for the samples of a file that Pillow had better judge.
    """
    file = PngFile.of(data)
    body = None if file is None else file.body()
    return body, None if file is None or body is None else file.samples(body)
