"""What the samples of a DICOM object are, before any of them is decoded.

The rule: decoders take what is in the low bits for the value, what has three samples for RGB, and an image for one. An
object that says otherwise is refused, since its picture would look right and be wrong. Reads headers, never pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydicom.dataset import FileDataset
from pydicom.uid import ExplicitVRBigEndian, JPEG2000TransferSyntaxes

from mist.errors import SourceRefused
from mist.ingest.dicom_dataset import number, text, transfer_syntax, value_of

_SAMPLES: Mapping[str, int] = MappingProxyType(
    {
        "MONOCHROME1": 1,
        "MONOCHROME2": 1,
        "PALETTE COLOR": 1,
        "RGB": 3,
        "YBR_FULL": 3,
        "YBR_FULL_422": 3,
        "YBR_RCT": 3,
        "YBR_ICT": 3,
    }
)
"""Samples per pixel of each photometric interpretation that is taken (PS3.3 C.7.6.3.1.2). HSV, ARGB and CMYK are
retired, YBR_PARTIAL_422 as well, and YBR_PARTIAL_420 is that of video."""

_OF_JPEG_2000 = frozenset({"YBR_RCT", "YBR_ICT"})
"""Colours that the decoder of JPEG 2000 turns into RGB, and nobody else (PS3.5 8.2.4)."""


def require_clear_samples(dataset: FileDataset) -> None:
    """Make sure that the samples of `dataset`, which has pixels, mean what decoders take them for.

    Raises
    ------
    SourceRefused
        Colours are of another kind, values lie in other bits, or it is a mosaic; or the object does not say so.
    """
    photometric = text(dataset, "PhotometricInterpretation")
    samples = int(number(value_of(dataset, "SamplesPerPixel"), "SamplesPerPixel") or 0)
    if _SAMPLES.get(photometric) != samples:
        raise SourceRefused(
            f"its Photometric Interpretation is {photometric!r} with {samples} samples a pixel; taken are "
            f"{', '.join(f'{name} with {count}' for name, count in _SAMPLES.items())}; export it anew as one of them"
        )
    if photometric in _OF_JPEG_2000 and transfer_syntax(dataset) not in JPEG2000TransferSyntaxes:
        raise SourceRefused(
            f"its Photometric Interpretation is {photometric}, which is of JPEG 2000 alone, and its pixels are "
            f"{transfer_syntax(dataset).name}; export it anew as RGB"
        )
    _require_low_bits(dataset)
    _require_ordered_bits(dataset)
    _require_no_mosaic(dataset)


def _require_low_bits(dataset: FileDataset) -> None:
    """Refuse values that end elsewhere than at bit 0, as PS3.5 8.1.1 once allowed."""
    stored, high = (number(value_of(dataset, keyword), keyword) for keyword in ("BitsStored", "HighBit"))
    if stored is not None and high is not None and high != stored - 1:
        raise SourceRefused(
            f"its High Bit is {high:g} with {stored:g} bits stored, so that values may lie in other than the low bits; "
            f"High Bit must be {stored - 1:g}: export it anew, or correct the header if values are in the low bits"
        )


def _require_ordered_bits(dataset: FileDataset) -> None:
    """Refuse single bits packed into words of swapped bytes, which decoders take for bytes in order (PS3.5 8.1.1)."""
    is_packed = number(value_of(dataset, "BitsAllocated"), "BitsAllocated") == 1 and "PixelData" in dataset
    if is_packed and transfer_syntax(dataset) == ExplicitVRBigEndian and dataset["PixelData"].VR == "OW":
        raise SourceRefused(
            "its pixels are single bits in big-endian words (OW), which decoders put in the wrong order; "
            "convert it to Explicit VR Little Endian"
        )


def _require_no_mosaic(dataset: FileDataset) -> None:
    """Refuse the slices of a volume side by side in one image, whose position and spacing are those of no slice."""
    if "MOSAIC" in text(dataset, "ImageType"):
        raise SourceRefused(
            "it is a mosaic (Image Type): slices side by side, whose places are in private elements alone; convert the "
            "series to NIfTI or enhanced MR first"
        )
