"""DICOM, NIfTI and picture files in which everything that may hold a text holds a canary: a string found nowhere else.

`PATTERN` finds canaries in bytes. Text has `CNRY` in it, UIDs a root, dates two years, times and numbers their first
digits.
"""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import nibabel as nib
import numpy as np
import tifffile
from imagecodecs import packbits_encode
from PIL import Image, PngImagePlugin
from pydicom._dicom_dict import DicomDictionary
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, RLELossless, SecondaryCaptureImageStorage

from mist.ingest.deidentify.table import TABLE, TECHNICAL_TEXT

PATTERN = re.compile(
    rb"CNRY|cnry|1\.2\.826\.0\.1\.3680043\.77\.|(?<!\d)(193[12][01]\d[0-3]\d|770077\d{3})(?!\d)|135724\.\d"
)

SIDE = 16

_IMAGE = frozenset({0x0020, 0x0028, 0x7FE0})
"""Groups that say what an image is; their codes and numbers are set to what the image needs."""

_numbers = count(1)

_VALUES: dict[str, Callable[[int], object]] = {
    "AE": lambda n: f"CNRY{n:06d}",
    "CS": lambda n: f"cnry {n}",
    "DA": lambda n: f"1931{1 + n % 12:02d}{1 + n % 28:02d}",
    "DS": lambda n: f"770077{n % 1000:03d}",
    "DT": lambda n: f"1932{1 + n % 12:02d}{1 + n % 28:02d}135724.{n:06d}",
    "IS": lambda n: f"770077{n % 1000:03d}",
    "LO": lambda n: f"CNRY{n:06d}",
    "LT": lambda n: f"a longer text, CNRY{n:06d}, of several words",
    "OB": lambda n: f"CNRY{n:06d}".encode(),
    "OW": lambda n: f"CNRY{n:06d}".encode(),
    "PN": lambda n: f"CNRY{n:06d}^Given^^Dr",
    "SH": lambda n: f"CNRY{n:06d}",
    "ST": lambda n: f"CNRY{n:06d}",
    "TM": lambda n: f"135724.{n:06d}",
    "UC": lambda n: f"CNRY{n:06d}",
    "UI": lambda n: f"1.2.826.0.1.3680043.77.{n}",
    "UN": lambda n: f"CNRY{n:06d}".encode(),
    "UR": lambda n: f"http://CNRY{n:06d}.example",
    "UT": lambda n: f"CNRY{n:06d}",
}
"""A canary of each VR that can hold one."""


def canary(vr: str) -> object:
    """The next canary of that VR."""
    return _VALUES[vr](next(_numbers))


def _element(tag: int, vr: str) -> DataElement:
    """An element with a canary, whether its VR allows it or not."""
    return DataElement(tag, vr, canary(vr), validation_mode=IGNORE)


def _planted() -> Iterator[tuple[int, str]]:
    """Tag and VR of every standard element in which a canary belongs: all but technical text and what an image is."""
    for tag, (vr, *_) in DicomDictionary.items():
        group = tag >> 16
        is_number = vr in ("DS", "IS")
        is_own = group < 0x0008 or tag in TECHNICAL_TEXT or tag == 0x00080005 or (vr == "CS" and group in _IMAGE)
        if vr in _VALUES and not is_own and group != 0x7FE0 and (tag in TABLE or not is_number):
            yield tag, vr


def plant(dataset: Dataset) -> None:
    """Put a canary in every element of `dataset` that can hold one, private ones and unknown ones included."""
    for tag, vr in _planted():
        if tag not in dataset:
            dataset.add(_element(tag, vr))
    block = dataset.private_block(0x0009, f"CNRY{next(_numbers)}", create=True)
    for place, vr in enumerate(("LO", "UN", "PN", "DA", "UT"), start=1):
        block.add_new(place, vr, canary(vr))
    hidden = Dataset()
    hidden.PatientName = canary("PN")
    block.add_new(0x20, "SQ", Sequence([hidden]))
    dataset.add(_element(0x0008FFEE, "LO"))  # which no edition has


def plant_deep(dataset: Dataset, depth: int = 3) -> None:
    """Plant in `dataset` and in sequences to `depth`; in those that the table names, a name, a UID and a text."""
    plant(dataset)
    for keyword in ("ReferencedImageSequence", "ContentSequence", "PixelMeasuresSequence"):
        item = Dataset()
        for tag, vr in ((0x00100010, "PN"), (0x00081155, "UI"), (0x00204000, "LT"), (0x00091010, "UN")):
            item.add(_element(tag, vr))
        setattr(dataset, keyword, Sequence([item]))
    if depth:
        item = Dataset()
        plant_deep(item, depth - 1)
        dataset.AnatomicRegionSequence = Sequence([item])


def image(place: int = 0, sop_class: UID = CTImageStorage, modality: str = "CT") -> FileDataset:
    """An image with canaries everywhere but in what it takes to show it."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = sop_class, ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"CNRY preamble".ljust(128, b"-"))
    dataset.SOPClassUID, dataset.Modality, dataset.ImageType = sop_class, modality, ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.77.{place}.1"
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID = "1.2.826.0.1.3680043.77.8", "1.2.826.0.1.3680043.77.9"
    dataset.FrameOfReferenceUID, dataset.PatientID = "1.2.826.0.1.3680043.77.7", "CNRY-PATIENT"
    dataset.StudyDate, dataset.AcquisitionDate = "19310510", "19310513"
    dataset.BodyPartExamined, dataset.PatientAge = "CHEST", "097Y"
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = "2", "-1024", "HU"
    dataset.WindowCenter, dataset.WindowWidth, dataset.ConvolutionKernel = "40", "400", "B30f"
    dataset.SliceThickness, dataset.PixelSpacing = "2.5", ["0.7", "0.8"]
    dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-10, -20, 2.5 * place]
    dataset.Rows = dataset.Columns = SIDE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = voxels(place).tobytes() + b"CNRY behind the last sample."
    plant_deep(dataset)
    for keyword in ("ConversionType", "BurnedInAnnotation", "RecognizableVisualFeatures", "NumberOfFrames"):
        dataset.pop(keyword, None)
    _plant_beyond(dataset, meta)
    return dataset


def _plant_beyond(dataset: Dataset, meta: FileMetaDataset) -> None:
    """Canaries in overlays, curves, the file meta information and the padding behind the pixels."""
    for tag, vr in ((0x60003000, "OB"), (0x60004000, "LT"), (0x60001500, "LO"), (0x50003000, "OB"), (0xFFFCFFFC, "OB")):
        dataset.add(_element(tag, vr))
    for element in (0x0016, 0x0017, 0x0018):
        meta.add(_element(0x00020000 | element, "AE"))
    meta.ImplementationVersionName = "CNRY"
    meta.PrivateInformationCreatorUID = UID("1.2.826.0.1.3680043.77.3")
    meta.PrivateInformation = b"CNRY of someone"


def voxels(place: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """The pixels of `image(place)`."""
    return np.random.default_rng(place).integers(0, 4096, (SIDE, SIDE)).astype("<u2")


def palette() -> FileDataset:
    """A picture in run lengths, whose colours are kept with it, with canaries where no decoder looks."""
    dataset = image(80)
    dataset.SeriesInstanceUID = "1.2.826.0.1.3680043.77.6"
    dataset.file_meta.TransferSyntaxUID = RLELossless
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType", "WindowCenter", "WindowWidth"):
        del dataset[keyword]
    for colour in ("Red", "Green", "Blue"):
        dataset.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [256, 0, 16])
        entries = np.arange(256, dtype="<u2") * 257
        dataset.add_new(f"{colour}PaletteColorLookupTableData", "OW", entries.tobytes() + b"CNRY behind.")
    segment = bytes(packbits_encode(bytes(range(256)) + b"CNRY in the last run")) + b"CNRY behind it.."
    frame = struct.pack("<2L", 1, 64) + b"CNRY" * 14 + segment + bytes(len(segment) % 2)
    dataset.PixelData = encapsulate([frame], has_bot=False)
    dataset["PixelData"].VR = "OB"
    return dataset


def burned_in() -> FileDataset:
    """A secondary capture that says that text is burned in."""
    dataset = image(90, SecondaryCaptureImageStorage, "OT")
    dataset.SeriesInstanceUID = "1.2.826.0.1.3680043.77.4"
    dataset.BurnedInAnnotation = "YES"
    return dataset


def write_nifti(path: Path) -> None:
    """A `.nii.gz` file with canaries in its header, in an extension, in the head of gzip, and behind the voxels."""
    picture = nib.Nifti1Image(np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6), np.diag([1.0, 2.0, 3.0, 1.0]))
    header = picture.header
    for name in ("descrip", "aux_file", "db_name", "data_type", "intent_name"):
        header[name] = f"CNRY{next(_numbers)}"[:9]
    header.extensions.append(nib.nifti1.Nifti1Extension(6, f"a comment, CNRY{next(_numbers)}".encode()))
    with path.open("wb") as raw, gzip.GzipFile("CNRY.nii", "wb", fileobj=raw) as stream:
        stream.write(_beside_numbers(picture.to_bytes()) + b"CNRY behind")


def _beside_numbers(data: bytes) -> bytes:
    """A NIfTI-1 file of three axes without a qform, with canaries in numbers that mean nothing then."""
    planted = bytearray(data)
    for start, stop in ((48, 56), (56, 68), (92, 108), (140, 148), (256, 280)):  # see nifti1.h
        planted[start:stop] = b"CNRY" * ((stop - start) // 4)
    return bytes(planted)


def _behind_rows(data: bytes) -> bytes:
    """A PNG file of one IDAT chunk with a canary behind its rows, in the same zlib stream."""
    start = data.index(b"IDAT")
    length = int.from_bytes(data[start - 4 : start])
    chunk = b"IDAT" + zlib.compress(zlib.decompress(data[start + 4 : start + 4 + length]) + b"CNRY behind rows", 0)
    whole = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return data[: start - 4] + whole + data[start + 8 + length :]


def write_pictures(folder: Path) -> None:
    """A PNG, a JPEG, a TIFF and a NumPy file with canaries beside their samples."""
    samples = np.arange(24 * 20, dtype=np.uint8).reshape(24, 20)
    picture = Image.fromarray(samples)
    info = PngImagePlugin.PngInfo()
    info.add_text("Patient", "CNRY text")
    info.add_text("Patient", "CNRY compressed", zip=True)
    info.add_itxt("Comment", "CNRY itxt", tkey="CNRY")
    exif = Image.Exif()
    exif[0x010E] = "CNRY description"
    picture.save(folder / "CNRY.png", pnginfo=info, exif=exif, icc_profile=b"CNRY profile")
    whole = _behind_rows((folder / "CNRY.png").read_bytes())
    (folder / "CNRY.png").write_bytes(whole + b"CNRY behind")
    picture.save(folder / "CNRY.jpg", comment=b"CNRY comment", exif=exif, icc_profile=b"CNRY profile")
    tifffile.imwrite(folder / "CNRY.tif", samples, description="CNRY", software="CNRY", datetime="1931:05:10 00:00:00")
    np.save(folder / "CNRY.npy", samples)
    with (folder / "CNRY.npy").open("ab") as stream:
        stream.write(b"CNRY behind")
