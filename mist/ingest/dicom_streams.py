"""What a compressed stream says of its picture, before anything is decoded.

The rule: a decoder does what the stream says, so a stream that contradicts its object is refused first: one changed
byte asks for gigabytes, or for minutes; samples of more bits are cut, and colours taken for others. Knows headers of
JPEG, JPEG-LS and JPEG 2000, how a frame of RLE begins, and nothing of pixels.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate

from pydicom.dataset import FileDataset
from pydicom.encaps import generate_fragments, parse_basic_offsets

from mist.errors import SourceRefused
from mist.ingest.dicom_dataset import text

_FRAME_HEADERS = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7})
"""Second bytes of the markers of JPEG (ITU-T T.81, table B.1) and JPEG-LS (T.87, table C.1) that lead such a header."""

_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Second bytes of the markers that no length follows."""

_ADOBE, _ADOBE_CONTENT = 0xEE, struct.Struct(">5s6xB")
"""Second byte of the marker in which Adobe's software says how colours are transformed, and what follows its length."""

_CODESTREAM = b"\xff\x4f\xff\x51"
"""How a JPEG 2000 codestream begins: SOC, then SIZ (T.800 A.4.1, A.5.1)."""

_SIZ = struct.Struct(">4x2x2xIIII16xHB")
"""From there: the right and the lower edge of the image, its left and its upper one; components, bits of the first."""

_PICTURES = (b"\xff\xd8\xff", _CODESTREAM)
"""How a stream of JPEG, JPEG-LS or JPEG 2000 begins; no samples are coded like it (T.81 B.1.1.5, T.800 A.1.4)."""

_RLE_HEADER = struct.Struct("<LL")
"""How many segments a frame of RLE has, up to 15, and where the first begins: after 64 bytes (PS3.5 G.5)."""

_ITEM_BYTES = 8
"""Before each fragment: a tag and a length (PS3.5 A.4)."""


@dataclass(frozen=True, slots=True)
class StreamForm:
    """What the first headers of a stream say."""

    size: tuple[int, int]
    """(rows, columns)."""
    components: int
    """Samples a pixel."""
    bits: int
    """Bits a sample."""
    adobe_colours: str = ""
    """What Adobe's marker says that three components are: `RGB` or `YBR`; empty where it does not, or they are named R,
    G and B."""


def stream_form(stream: bytes) -> StreamForm | None:
    """What a stream says of its picture, or None where its first headers do not say."""
    if stream.startswith(_CODESTREAM):
        if len(stream) < _SIZ.size:
            return None
        right, lower, left, upper, components, bits = _SIZ.unpack_from(stream)
        return StreamForm((lower - upper, right - left), components, bits % 128 + 1)
    return _jpeg_form(stream) if stream.startswith(b"\xff\xd8") else None


def _jpeg_form(stream: bytes) -> StreamForm | None:
    place, adobe_colours = 2, ""
    while place + 10 <= len(stream) and stream[place] == 0xFF:
        marker, length = stream[place + 1], int.from_bytes(stream[place + 2 : place + 4], "big")
        if marker in _FRAME_HEADERS:
            bits, rows, columns, components = struct.unpack_from(">BHHB", stream, place + 4)
            names = stream[place + 10 : place + 17 : 3]
            colours = "" if names.upper() == b"RGB" else adobe_colours
            return StreamForm((rows, columns), components, bits, colours) if rows and columns else None  # 0: said later
        if marker == _ADOBE:
            adobe_colours = _adobe_colours(stream[place + 4 : place + 2 + length])
        if marker == 0xFF:  # a fill byte
            place += 1
        else:
            place += 2 if marker in _ALONE else 2 + length
    return None


def _adobe_colours(content: bytes) -> str:
    if len(content) < _ADOBE_CONTENT.size or not content.startswith(b"Adobe"):
        return ""
    return {0: "RGB", 1: "YBR"}.get(_ADOBE_CONTENT.unpack_from(content)[1], "")


def begins_picture(fragment: bytes, *, is_rle: bool = False) -> bool:
    """Whether a compressed picture begins with a fragment, and does not only go on there."""
    if not is_rle:
        return fragment.startswith(_PICTURES)
    segments, first = _RLE_HEADER.unpack_from(fragment) if len(fragment) >= _RLE_HEADER.size else (0, 0)
    return bool(1 <= segments <= 15 and first == 64)


def require_frames(encoded: bytes, frames: int, *, is_rle: bool, offsets: bytes | None) -> None:
    """Make sure that encapsulated pixels hold the frames that their object says, where it says that they lie.

    Parameters
    ----------
    encoded
        The value of Pixel Data (PS3.5 A.4).
    offsets
        That of Extended Offset Table, if there is one: by a wrong one, a frame is read in the place of another.

    Raises
    ------
    SourceRefused
        There are fewer pieces or more pictures than frames, or offsets are wrong.
    """
    stream = BytesIO(encoded)
    parse_basic_offsets(stream)
    fragments = list(generate_fragments(stream))
    pictures = sum(begins_picture(fragment, is_rle=is_rle) for fragment in fragments)
    if len(fragments) < frames:
        raise SourceRefused(f"the header says {frames} frames, and there are only {len(fragments)}; export it anew")
    if pictures > frames:
        raise SourceRefused(f"the header says {frames} frames, and there are {pictures}; correct Number of Frames")
    places = accumulate((len(fragment) + _ITEM_BYTES for fragment in fragments[:-1]), initial=0)
    if offsets is not None and offsets != struct.pack(f"<{len(fragments)}Q", *places):
        raise SourceRefused("its Extended Offset Table does not say where its frames lie; export the file anew")


def require_form(stream: bytes, dataset: FileDataset) -> None:
    """Make sure that a compressed frame is what its object says.

    Raises
    ------
    SourceRefused
        It has another size, more or fewer components, more bits than there is room for, or other colours.
    """
    found = stream_form(stream)
    if found is None:
        return
    _require_size(found, (int(dataset.Rows), int(dataset.Columns)))
    samples, bits = int(dataset.SamplesPerPixel), int(dataset.BitsAllocated)
    if found.components != samples:
        raise SourceRefused(
            f"the header says {samples} samples a pixel, and the compressed stream has {found.components}; export it "
            "anew"
        )
    if found.bits > bits:
        raise SourceRefused(
            f"the header says {bits} bits a sample (Bits Allocated), and the compressed stream has {found.bits}, which "
            "would be cut; export it anew"
        )
    _require_colours(found, text(dataset, "PhotometricInterpretation"))


def _require_size(found: StreamForm, size: tuple[int, int]) -> None:
    if found.size != size:
        raise SourceRefused(
            f"the header says {size[0]} x {size[1]} pixels, and the compressed stream {found.size[0]} x "
            f"{found.size[1]}; the file is damaged, export it anew"
        )


def _require_colours(found: StreamForm, photometric: str) -> None:
    """Refuse colours of which the header and Adobe's marker say different things: programs show different pictures."""
    if found.components == 3 and found.adobe_colours and not photometric.startswith(found.adobe_colours):
        raise SourceRefused(
            f"its Photometric Interpretation is {photometric}, and the compressed stream says {found.adobe_colours} "
            "(Adobe's marker); correct the header, or export it anew"
        )
