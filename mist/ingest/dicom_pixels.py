"""The pixels of a DICOM object, decoded.

The rule: voxels are the stored values, before any rescale, exactly as pydicom's `pixel_array` gives them: signed where
the object says so; RGB for YBR_FULL and YBR_FULL_422, which pydicom converts by default. Frames that pydicom does not
take are decoded by `mist.ingest.dicom_decoders`. Indices into a palette become its colours. An array of another shape
than the header announces is refused.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import pixel_array
from pydicom.uid import HTJ2KLossless, HTJ2KLosslessRPCL, JPEG2000Lossless, JPEGLSLossless, RLELossless

from mist.errors import SourceRefused
from mist.ingest.dicom_dataset import transfer_syntax
from mist.ingest.dicom_decoders import decode_frames, decoder_of
from mist.ingest.dicom_header import DicomHeader, no_pixels
from mist.ingest.dicom_samples import require_clear_samples
from mist.ingest.dicom_streams import require_form, require_frames
from mist.ingest.dicom_tables import has_palette, palette_colours
from mist.ingest.refusal import cause
from mist.ingest.sample_type import to_voxels
from mist.ingest.whole_jpeg import require_whole_jpeg
from mist.volume import Voxels

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
"""The attributes that hold pixels (PS3.3 C.7.6.3, C.7.6.24, C.7.6.25)."""


_ALL_FAILED = "exceptions were raised by all available plugins"
"""In pydicom's message, before what each decoder said, which is of use to nobody else."""


_WITHOUT_SIGN = (JPEGLSLossless, JPEG2000Lossless, HTJ2KLossless, HTJ2KLosslessRPCL)
"""Syntaxes without loss of which pydicom goes by the bits of the stream, not by Bits Stored, to tell the sign."""


def decode_pixels(dataset: FileDataset, header: DicomHeader) -> Voxels:
    """The pixels of `dataset`, of shape ([frames,] rows, columns[, colours]).

    Raises
    ------
    SourceRefused
        There are none, they cannot be decoded, or they are not what the header says.
    """
    if not any(keyword in dataset for keyword in PIXEL_KEYWORDS):
        raise SourceRefused(no_pixels(dataset))
    require_clear_samples(dataset)
    pixels = _decoded(dataset, header.frames)
    _require_shape(pixels, header)
    voxels = to_voxels(pixels)  # big-endian objects decode to big-endian arrays
    return palette_colours(voxels, dataset) if has_palette(dataset) else voxels


def _decoded(dataset: FileDataset, frames: int) -> npt.NDArray[Any]:
    syntax = transfer_syntax(dataset)
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    decode = decoder_of(dataset, syntax)
    try:
        _require_sound_frames(dataset, frames)
        pixels = pixel_array(dataset) if decode is None else decode_frames(dataset, decode, frames)
    except Exception as error:
        raise SourceRefused(f"its pixels cannot be decoded ({syntax.name}): {_cause(error)}") from error
    return _signed(pixels, int(dataset.BitsStored)) if syntax in _WITHOUT_SIGN else pixels


def _signed(pixels: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
    """Signed samples of which none is negative as what their low `bits` say (PS3.5 8.1.1), where all lie in those."""
    if pixels.dtype.kind != "i" or pixels.min() < 0 or not 1 << (bits - 1) <= pixels.max() < 1 << bits:
        return pixels
    extended: npt.NDArray[Any] = pixels - ((pixels >> (bits - 1)) << bits)
    return extended


def _require_sound_frames(dataset: FileDataset, frames: int) -> None:
    """Refuse encoded pixels before a decoder is misled by them.

    In fewer pieces than frames (PS3.5 A.4), one frame would be taken for several; of more pictures than frames, some
    would be left out; of another form than the header says, they may ask for any memory and time, and become other
    pictures. What lacks at the end of a JPEG frame, decoders make up.
    """
    if "PixelData" in dataset and not dataset.PixelData:
        raise SourceRefused("Pixel Data is empty; export the file anew")
    if "PixelData" not in dataset or not dataset["PixelData"].is_undefined_length:
        return
    is_rle = transfer_syntax(dataset) == RLELossless
    require_frames(dataset.PixelData, frames, is_rle=is_rle, offsets=dataset.get("ExtendedOffsetTable"))
    for frame in generate_frames(dataset.PixelData, number_of_frames=frames):
        require_form(frame, dataset)
        require_whole_jpeg(frame)


def _cause(error: Exception) -> str:
    """What went wrong, with the remedy where a message of the decoder's own has none."""
    if isinstance(error, SourceRefused):
        return str(error)
    if isinstance(error, NotImplementedError):
        return "no decoder here takes this transfer syntax; convert the file to Explicit VR Little Endian"
    tried = "none of the decoders could read them" if _ALL_FAILED in str(error) else cause(error)
    return f"the file is damaged, or breaks the standard; export it anew ({tried})"


def _require_shape(pixels: npt.NDArray[Any], header: DicomHeader) -> None:
    form = header.slice_format
    frames = (header.frames,) if header.frames > 1 else ()
    colours = (form.samples_per_pixel,) if form.samples_per_pixel > 1 else ()
    expected = (*frames, form.rows, form.columns, *colours)
    if pixels.shape != expected:
        raise SourceRefused(f"the header says an array of {expected}, and {pixels.shape} was decoded")
