"""TIFF files into flat images, or into frames or slices where a file has several pages.

The rule: samples are those in the file, of any depth; pages become one scan only where all of them agree. What samples
mean is for `mist.ingest.tiff_values` to say; what pages are together, and where, for `mist.ingest.tiff_pages`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from tifffile import PHOTOMETRIC, TiffFile, TiffPage

from mist.errors import SourceRefused
from mist.ingest.sample_type import to_voxels
from mist.ingest.source import DecodedSource
from mist.ingest.tiff_pages import pages_of
from mist.ingest.tiff_parts import require_all_parts
from mist.ingest.tiff_values import require_clear_samples, rescale_of
from mist.scan import Display
from mist.volume import Rescale, Volume, Voxels

_GREY = frozenset({PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE})
_COLOUR = frozenset({PHOTOMETRIC.RGB, PHOTOMETRIC.YCBCR})
_AXES = {"YX": "yx", "YXS": "yxc", "SYX": "yxc"}
"""tifffile's names of a page's axes, and a volume's; S is the colour."""


def read_tiff(path: Path, *, is_mask: bool) -> DecodedSource:
    """The image, the frames or the slices in the file at `path`. A mask in palette colours keeps its indices.

    Raises
    ------
    SourceRefused
        Pages differ, are no slices or frames, or are not all there, the colour space is neither grey nor RGB, samples
        are not what the file says or calibrated by a curve, or a page is so large that it may be meant to exhaust
        memory (by Pillow's `MAX_IMAGE_PIXELS`).
    """
    with TiffFile(path, _multifile=False) as tiff:  # or it opens what OME-XML names
        pages = [page for page in tiff.pages if isinstance(page, TiffPage)]
        _require_agreement(pages, len(tiff.pages))
        first = pages[0]
        _require_plain(first, is_mask=is_mask)
        for page in pages:
            require_clear_samples(page)
            require_all_parts(page)
        together = pages_of(tiff, first, len(pages))
        rescale = Rescale() if is_mask else rescale_of(tiff)
        sheets = [_samples(page) for page in pages]
    voxels = np.stack(sheets) if len(sheets) > 1 else sheets[0]
    voxels = voxels.reshape(*together.shape, *sheets[0].shape)
    display = Display(inverted=first.photometric == PHOTOMETRIC.MINISWHITE)
    volume = Volume(to_voxels(voxels), together.axes + _AXES[first.axes], together.geometry, rescale)
    return DecodedSource(volume, display)


def _require_agreement(pages: list[TiffPage], count: int) -> None:
    forms = {(page.shape, page.axes, page.dtype, page.photometric) for page in pages}
    if len(pages) != count or len(forms) != 1:
        shapes = ", ".join(sorted({str(page.shape) for page in pages}))
        raise SourceRefused(
            f"its {count} pages differ in size, type or colour (sizes: {shapes}); save each one as a file"
        )


def _require_plain(page: TiffPage, *, is_mask: bool) -> None:
    """Refuse a page whose samples are not plain grey, RGB or labels."""
    taken = _GREY | _COLOUR | ({PHOTOMETRIC.PALETTE} if is_mask else frozenset())
    if page.photometric not in taken or page.axes not in _AXES:
        kind = PHOTOMETRIC(page.photometric).name
        raise SourceRefused(f"a TIFF of colour space {kind} and axes {page.axes}; convert it to grey or RGB")
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and page.size > limit:
        raise SourceRefused(f"a page of {page.size} samples; at most {limit} are taken")


def _samples(page: TiffPage) -> Voxels:
    samples = page.asarray()
    return np.moveaxis(samples, 0, -1) if page.axes == "SYX" else samples  # (y, x, colour)
