"""PNG files whose rows lie plainly, as their samples and as bodies (`mist.kept_wrapping`).

The rule: what is odd in any way is not taken: it is left to Pillow, which judges it, or kept as it is. Knows no volume.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Self

import imagecodecs
import numpy as np
import numpy.typing as npt

from mist.errors import SourceRefused
from mist.kept_wrapping import PNG_SIGNATURE, png_body, png_rows_offset
from mist.png_rows import FILTERS, HEADER_CONTENT, PngRows, image_data_bytes

_LAST_CHUNK = b"\0\0\0\0IEND\xaeB`\x82"

_MOST_GROWTH = 1032
"""Bytes that a compressed byte can become: what claims more is broken, and no room is made for it."""

Samples = npt.NDArray[np.uint8 | np.uint16]


@dataclass(frozen=True, slots=True)
class PngFile:
    """A PNG file in parts, whose rows lie plainly."""

    before: bytes
    """From the signature to the first image data chunk."""
    compressed: bytes
    """The data of all image data chunks."""
    after: bytes
    """What follows them."""
    form: PngRows
    """How its rows lie."""

    @classmethod
    def of(cls, data: bytes) -> Self | None:
        """The parts of a file; None where rows do not lie plainly, or image data not in one piece, or it is broken."""
        form = PngRows.of(data) if data.startswith(PNG_SIGNATURE) else None
        chunks = _chunks(data)
        images = [place for place, (start, _) in enumerate(chunks) if data[start + 4 : start + 8] == b"IDAT"]
        if form is None or not images or images != list(range(images[0], images[-1] + 1)):
            return None
        first, last = chunks[images[0]][0], chunks[images[-1]][1]
        held = b"".join(data[start + 8 : end - 4] for start, end in chunks[images[0] : images[-1] + 1])
        return cls(data[:first], held, data[last:], form)

    def body(self) -> memoryview | None:
        """The body; None where something is odd about the image data, or filtering its rows does not give them back."""
        stream = _inflated(self.compressed, self.form.stream_bytes)
        if stream is None or max(self._filters(stream)) >= FILTERS or not self._ends_after(stream):
            return None
        filters, rows = self._filters(stream), self.form.unfiltered(stream)
        is_exact = self.form.filtered(filters, rows) == stream
        return memoryview(png_body(self.before, filters, rows, self.after)) if is_exact else None

    def samples(self, body: memoryview) -> Samples | None:
        """The samples, (rows, columns[, channels]) in native byte order; None where Pillow had better judge the file.

        Those of one byte lie in the `body`.
        """
        if self.after != _LAST_CHUNK:
            return None
        channels = self.form.pixel_bytes // self.form.sample_bytes
        rows = np.frombuffer(body, np.uint8, self.form.plain_bytes, png_rows_offset(body))
        samples = rows.view(f">u{self.form.sample_bytes}").reshape(
            self.form.height, -1, *([channels] if channels > 1 else [])
        )
        return samples.astype(samples.dtype.newbyteorder("="), copy=False)

    def _filters(self, stream: bytes) -> bytes:
        return stream[:: 1 + self.form.row_bytes]

    def _ends_after(self, stream: bytes) -> bool:
        """Whether no byte follows the checksum of the rows, of which libdeflate says nothing.

        It is at the end if nothing before is like it; otherwise it is if no byte can be missed.
        """
        checksum = imagecodecs.deflate_adler32(stream).to_bytes(4, "big")
        if self.compressed.find(checksum) == len(self.compressed) - len(checksum):
            return True
        return _inflated(self.compressed[:-1], self.form.stream_bytes) is None


def require_all_rows(data: bytes) -> None:
    """Refuse a PNG file whose image data end before its last row does: decoders put zeros for what is missing.

    What is broken otherwise is left to them; they refuse it.

    Raises
    ------
    SourceRefused
        Rows are missing.
    """
    chunks = ((start, end) for start, end in _chunks(data, is_whole=False) if data[start + 4 : start + 8] == b"IDAT")
    expected, inflater = image_data_bytes(data[HEADER_CONTENT]), zlib.decompressobj()
    try:
        found = len(inflater.decompress(b"".join(data[start + 8 : end - 4] for start, end in chunks), expected))
    except zlib.error:
        return
    if found < expected:
        raise SourceRefused(
            f"its image data hold {found} bytes, where its size takes {expected}: rows are missing; get the file again"
        )


def _chunks(data: bytes, *, is_whole: bool = True) -> list[tuple[int, int]]:
    """Where chunks begin and end, up to the one that says it is the last; none if all must be whole and one is not."""
    chunks: list[tuple[int, int]] = []
    at = len(PNG_SIGNATURE)
    while at < len(data) and (not chunks or data[chunks[-1][0] + 4 : chunks[-1][0] + 8] != b"IEND"):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        chunks.append((at, end))
        at = end
    return chunks if at <= len(data) or not is_whole else []


def _inflated(compressed: bytes, size: int) -> bytes | None:
    """The `size` bytes that `compressed` holds, checksum and all; libdeflate takes a third of the time of zlib."""
    if not 0 < size <= len(compressed) * _MOST_GROWTH:
        return None
    try:
        stream = bytes(imagecodecs.deflate_decode(compressed, out=size))
    except imagecodecs.DeflateError:
        return None
    return stream if len(stream) == size else None
