"""What the samples of a TIFF file mean, before any of them is decoded.

The rule: what tifffile decodes to something else than the file says is refused, and what ImageJ says of true values is
believed where it is a line. Knows nothing of pages.
"""

from __future__ import annotations

import math

from tifffile import COMPRESSION, PHOTOMETRIC, SAMPLEFORMAT, TiffFile, TiffPage

from mist.errors import SourceRefused
from mist.volume import Rescale

_WHOLE_BITS = frozenset({8, 16, 32, 64})
"""Bits a sample that are read as they lie in memory; others are unpacked."""

_MOST_PACKED_BITS = 16
"""Of more packed bits programs disagree on the order of bytes, in little-endian files above all."""

_INTEGERS = frozenset({SAMPLEFORMAT.UINT, SAMPLEFORMAT.INT})

_LINE, _NO_FUNCTIONS = 0, frozenset({20, 21, 22})
"""ImageJ's numbers of calibrations (ij.measure.Calibration): STRAIGHT_LINE; NONE, UNCALIBRATED_OD and CUSTOM."""

_NO_UNITS = frozenset({"", "Gray Value"})
"""What ImageJ writes for the unit of values that nobody knows."""


def require_clear_samples(page: TiffPage) -> None:
    """Make sure that what is decoded of a page is what it says.

    Raises
    ------
    SourceRefused
        Its colours would stay YCbCr, or its integers are packed in a way that nobody agrees on.
    """
    if page.photometric == PHOTOMETRIC.YCBCR and page.compression != COMPRESSION.JPEG:
        raise SourceRefused(
            "a TIFF whose colours are YCbCr, which is taken in JPEG compression only; save it anew as RGB"
        )
    bits, is_signed = page.bitspersample, page.sampleformat == SAMPLEFORMAT.INT
    if page.sampleformat in _INTEGERS and bits not in _WHOLE_BITS and (is_signed or bits > _MOST_PACKED_BITS):
        kind = "signed" if is_signed else "unsigned"
        raise SourceRefused(f"a TIFF of {kind} integers of {bits} bits; save it anew with 8, 16 or 32 bits a sample")


def rescale_of(tiff: TiffFile) -> Rescale:
    """The map from samples to true values that ImageJ has stored: for one, signed samples as unsigned ones.

    Raises
    ------
    SourceRefused
        It is a curve, or no numbers.
    """
    said = (tiff.imagej_metadata or {}) if tiff.is_imagej else {}
    function = said.get("cf")
    if function is None or function in _NO_FUNCTIONS:
        return Rescale()
    numbers = [said.get("c0"), said.get("c1")]
    intercept, slope = (float(n) if isinstance(n, (int, float)) else math.nan for n in numbers)
    if function != _LINE or not math.isfinite(intercept + slope) or slope == 0:
        raise SourceRefused(
            f"ImageJ has calibrated its values by a function ({function}: {numbers[0]}, {numbers[1]}, ...) that is no "
            "line; save it without calibration, or apply it beforehand"
        )
    unit = str(said.get("vunit", ""))
    return Rescale(slope, intercept, "" if unit in _NO_UNITS else unit)
