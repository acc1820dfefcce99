"""Encoded frames whose samples lie open: run lengths, deflated ones, and ones that are only wrapped.

The rule: such a frame is opened, its samples are cleaned as uncompressed ones are, and it is encoded anew in the same
transfer syntax; so nothing can lie behind a segment, between two, or in bits that no sample uses.
"""

from __future__ import annotations

import struct
import zlib

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.uid import UID, RLELossless

from mist.ingest.deidentify.native_samples import Form, native
from mist.ingest.dicom_decoders import DEFLATED_FRAMES, ENCAPSULATED_UNCOMPRESSED

_HEADER = struct.Struct("<16L")
"""How many segments a frame of run lengths has, and where each begins (PS3.5 G.5)."""

_NO_RUN = 128
"""The control byte that stands for nothing: lesser ones count bytes that follow, greater ones repeats of the next."""

Plane = npt.NDArray[np.uint8]


def plain_frame(frame: bytes, form: Form, shape: tuple[int, int], syntax: UID) -> bytes:
    """`frame`, of that form, without what is no sample; as it is if samples of that transfer syntax do not lie open.

    Parameters
    ----------
    shape
        Rows and columns.

    Raises
    ------
    ValueError
        It holds fewer samples than it must.
    """
    if syntax == RLELossless:
        return _run_lengths(frame, form, shape)
    if syntax == DEFLATED_FRAMES:
        opened = zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(frame, form.bytes)
        packer = zlib.compressobj(0, wbits=-zlib.MAX_WBITS)  # stored, which is the same with every zlib
        return packer.compress(_whole(opened, form)) + packer.flush()
    return _whole(frame, form) if syntax == ENCAPSULATED_UNCOMPRESSED else frame


def _whole(samples: bytes, form: Form) -> bytes:
    if len(samples) < form.bytes:
        raise ValueError("a frame holds fewer samples than its header says")
    return native(samples, form, "<")


def _run_lengths(frame: bytes, form: Form, shape: tuple[int, int]) -> bytes:
    """A frame of one segment for each byte of a pixel, those of a sample from the highest to the lowest (PS3.5 G.2)."""
    depth = max(1, form.allocated // 8)
    count = form.samples // (shape[0] * shape[1]) * depth
    size = form.bytes // count
    planes = np.array(_planes(frame, count, size)).reshape(-1, depth, size)
    samples = _whole(planes[:, ::-1].swapaxes(1, 2).tobytes(), form)[: form.bytes]
    clean = np.frombuffer(samples, np.uint8).reshape(-1, size, depth).swapaxes(1, 2)[:, ::-1].reshape(count, size)
    return _segments([_encoded(plane, size if form.allocated == 1 else shape[1]) for plane in clean])


def _planes(frame: bytes, count: int, size: int) -> list[Plane]:
    """The segments of a frame, of which there must be `count`, unpacked to `size` bytes each."""
    said, *starts = _HEADER.unpack_from(frame)
    if said != count:
        raise ValueError("a frame of run lengths has another number of segments than its header says")
    ends = [*starts[1:count], len(frame)]
    return [_unpacked(frame[start:end], size) for start, end in zip(starts, ends, strict=False)]


def _unpacked(segment: bytes, size: int) -> Plane:
    """The first `size` bytes of a segment (PS3.5 G.3.2); what follows may be no run at all, which a library refuses."""
    found, at = bytearray(), 0
    while len(found) < size:
        if at >= len(segment):
            raise ValueError("a frame of run lengths holds fewer samples than its header says")
        control = segment[at]
        literal = control + 1 if control < _NO_RUN else 0
        found += segment[at + 1 : at + 1 + literal] or segment[at + 1 : at + 2] * _repeats(control)
        at += 1 + (literal or control != _NO_RUN)
    return np.frombuffer(found, np.uint8, size)


def _repeats(control: int) -> int:
    """How often the byte behind a control byte is meant, if it is one for that."""
    return 2 * _NO_RUN + 1 - control if control > _NO_RUN else 0


def _encoded(plane: Plane, columns: int) -> bytes:
    """A segment of even length; no run goes on in the next row (PS3.5 G.3.1)."""
    segment = b"".join(bytes(imagecodecs.packbits_encode(row.tobytes())) for row in plane.reshape(-1, columns))
    return segment + bytes(len(segment) % 2)


def _segments(segments: list[bytes]) -> bytes:
    starts = [_HEADER.size + sum(map(len, segments[:place])) for place in range(len(segments))]
    return _HEADER.pack(len(segments), *starts, *[0] * (15 - len(segments))) + b"".join(segments)
