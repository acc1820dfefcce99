"""A scan's image: plan it, compare with what the client holds, read, encode.

The rule: everything that can be refused is refused before a byte is read, and what the client has already is not read
again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from mist.delivery.image import MEDIA_TYPES, Image, decide_image
from mist.delivery.image_plan import ImagePlan
from mist.delivery.image_request import PARAMETERS, parse_image_request
from mist.errors import ScanCorrupt
from mist.server.asked import Asked
from mist.server.reply import MemoryBody, Reply, UnsentBody, not_modified
from mist.server.shelf import FolderReader, OpenDataset, Shelf
from mist.volume import Volume
from mist_storage.catalog import CatalogRow
from mist_storage.scan_reader import ScanReader


@dataclass(slots=True)
class CountingReader:
    """A reader of ranges that counts the bytes it is asked for: what the answer costs without any cache."""

    reader: FolderReader
    bytes_read: int = field(default=0, init=False)

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        """See `mist_storage.store.Store.get_range`."""
        self.bytes_read += stop - start
        return self.reader.get_range(key, start, stop)

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """See `mist_storage.store.Store.get_ranges`."""
        self.bytes_read += sum(stop - start for start, stop in ranges)
        return self.reader.get_ranges(key, ranges)


def scan_image(shelf: Shelf, asked: Asked, max_response_bytes: int) -> Reply:
    """The image of a scan that the query asks for.

    Raises
    ------
    InvalidRequest
        The scan or the format cannot answer, or the answer would take more than `max_response_bytes`.
    ScanCorrupt
        Stored bytes are missing, short or altered.
    """
    parameters = asked.parameters(*PARAMETERS)
    dataset = shelf.dataset(asked.parts["dataset"])
    row = dataset.row(asked.parts["scan"])
    image = decide_image(row.header, parse_image_request(parameters, row.header), max_response_bytes)
    headers = _headers(dataset, row, image)
    held = not_modified(asked, headers)
    if held is not None:
        return held
    if asked.method == "HEAD":
        return Reply(200, headers, UnsentBody())
    volume, bytes_read = _read(dataset, row, image.plan)
    return Reply(200, {**headers, "Mist-Bytes-Read": str(bytes_read)}, MemoryBody(image.encoded(volume)))


def _read(dataset: OpenDataset, row: CatalogRow, plan: ImagePlan) -> tuple[Volume, int]:
    """What the plan reads, and how many stored bytes that took."""
    reader = CountingReader(dataset.cached)
    try:
        volume = ScanReader(reader, row.scan_id, row.digest, row.header).read(plan.request)
    except ScanCorrupt:
        dataset.forget(row)
        raise
    return volume, reader.bytes_read


def _headers(dataset: OpenDataset, row: CatalogRow, image: Image) -> dict[str, str]:
    plan, asked = image.plan, image.asked
    spatial = zip("zyx", plan.geometry.spacing, strict=True)
    spacing = [length for axis, length in spatial if axis in plan.axes] if plan.geometry.in_millimetres else None
    place = "inline" if asked.is_picture else "attachment"
    return {
        "Content-Type": MEDIA_TYPES[asked.format],
        "Content-Disposition": f'{place}; filename="{_file_name(row, image)}"',
        "Cache-Control": dataset.cache_control,
        "ETag": f'"{image.digest(row.digest)}"',
        "Mist-Level": str(plan.plan.level),
        "Mist-Axes": plan.axes,
        "Mist-Shape": json.dumps(plan.shape),
        "Mist-Spacing": json.dumps(spacing),
        "Mist-Affine": json.dumps(plan.geometry.affine.tolist()),
    }


def _file_name(row: CatalogRow, image: Image) -> str:
    """Such as `scan-1_level2_slice40.png`; the slice is the one of the resolution that is delivered."""
    words = [row.scan_id, f"level{image.plan.plan.level}"]
    for name, index in (("slice", image.asked.slice_index), ("frame", image.asked.frame)):
        words += [] if index is None else [f"{name}{index}"]
    return f"{'_'.join(words)}.{image.asked.format}"
