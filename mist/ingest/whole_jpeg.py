"""Whether a JPEG stream holds the whole of its picture.

The rule: decoders fill what is lacking with grey and only warn, and most of them swallow the warning. So what libjpeg
warns of is refused, where libjpeg-turbo takes the stream (8 bits, lossy or lossless). Deeper streams are decoded with
two different endings: a picture that depends on what follows its data is not all there.
"""

from __future__ import annotations

import imagecodecs
import numpy as np
import simplejpeg

from mist.errors import SourceRefused

_START, _END = b"\xff\xd8", b"\xff\xd9"
"""The markers SOI and EOI (ITU-T T.81, table B.1)."""

_DAMAGE = ("Corrupt JPEG data", "Premature end of JPEG")
"""How libjpeg's warnings of damaged data begin; what else it says is of streams that it does not take."""

_COLOURS = ("GRAY", "RGB")
"""What to decode to: the first is faster, and not to be had of lossless colour."""

_REFUSAL = "its JPEG data are damaged, and part of the picture would be made up; get the file again from where it came"


def require_whole_jpeg(stream: bytes) -> None:
    """Make sure that nothing lacks at the end of a JPEG stream. What is no JPEG, or broken, is left to its decoder.

    Raises
    ------
    SourceRefused
        The data end early, or are damaged so that libjpeg cannot go on reading them.
    """
    if not stream.startswith(_START):
        return
    for colours in _COLOURS:
        try:
            simplejpeg.decode_jpeg(stream, colorspace=colours, fastdct=True, fastupsample=True, strict=True)
        except ValueError as error:
            if str(error).startswith(_DAMAGE):
                raise SourceRefused(f"{_REFUSAL} ({error})") from None
        else:
            return
    if depends_on_what_follows(stream):
        raise SourceRefused(f"{_REFUSAL} (they end before the picture does)")


def depends_on_what_follows(stream: bytes) -> bool:
    """Whether the picture of a JPEG stream, of any depth, lossy or lossless, changes when more data are added to it."""
    data = stream.rstrip(b"\0").removesuffix(_END).rstrip(b"\xff")
    try:
        first, second = (
            imagecodecs.jpeg8_decode(data + _ending(bits, place)) for bits, place in ((0x55, 0), (0xAA, 4))
        )
    except imagecodecs.Jpeg8Error:
        return False  # not taken by this decoder
    return not np.array_equal(first, second)


def _ending(bits: int, first: int) -> bytes:
    """Data of alternating bits for whatever is missing, also from the next restart marker on, which is any of eight.

    A decoder takes a marker up to two before the one that it expects as a late one, and up to two behind as a sign that
    data are lost; so endings differ in where they begin.
    """
    markers = (bytes((0xFF, 0xD0 + (first + number) % 8)) for number in range(8))
    filling = bytes((bits,)) * 64
    return filling + b"".join(marker + filling for marker in markers) + _END
