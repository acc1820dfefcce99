"""A scan's image: plan it, compare with what the client holds, read, encode.

The rule: everything that can be refused is refused before a byte is read, and what the client has already is not read
again.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mist.codec import Json
from mist.errors import ScanCorrupt
from mist.scan import canonical_json, hex_digest
from mist.server.asked import Asked
from mist.server.image_plan import ImagePlan, plan_image
from mist.server.image_request import PARAMETERS, ImageFormat, ImageRequest, parse_image_request
from mist.server.nifti import check_nifti, nifti_gz
from mist.server.picture import ENCODER_VERSION, Style, check_picture, encode_picture, picture_style
from mist.server.reply import MemoryBody, Piece, Reply, UnsentBody, not_modified
from mist.server.shelf import FolderReader, OpenDataset, Shelf
from mist.volume import Volume
from mist_storage.catalog import CatalogRow
from mist_storage.scan_reader import ScanReader

MEDIA_TYPES: dict[ImageFormat, str] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "npy": "application/vnd.numpy",
    "nii.gz": "application/gzip",
}


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


@dataclass(frozen=True, slots=True)
class _Image:
    """An image that has been decided on and not been read."""

    asked: ImageRequest
    plan: ImagePlan
    style: Style


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
    image = _decided(row, parse_image_request(parameters, row.header), max_response_bytes)
    headers = _headers(dataset, row, image)
    held = not_modified(asked, headers)
    if held is not None:
        return held
    if asked.method == "HEAD":
        return Reply(200, headers, UnsentBody())
    volume, bytes_read = _read(dataset, row, image.plan)
    return Reply(200, {**headers, "Mist-Bytes-Read": str(bytes_read)}, MemoryBody(_encoded(volume, image)))


def _decided(row: CatalogRow, asked: ImageRequest, max_response_bytes: int) -> _Image:
    header = row.header
    plan = plan_image(header, asked, max_response_bytes)
    if asked.is_picture:
        check_picture(asked, header.samples.dtype, plan.axes, plan.shape)
    if asked.format == "nii.gz":
        check_nifti(plan.axes, plan.shape, header.rescale, plan.geometry)
    return _Image(asked, plan, picture_style(header, asked))


def _read(dataset: OpenDataset, row: CatalogRow, plan: ImagePlan) -> tuple[Volume, int]:
    """What the plan delivers, and how many stored bytes that took."""
    reader = CountingReader(dataset.cached)
    try:
        volume = ScanReader(reader, row.scan_id, row.digest, row.header).read(plan.request)
    except ScanCorrupt:
        dataset.forget(row)
        raise
    return plan.delivered(volume), reader.bytes_read


def _encoded(volume: Volume, image: _Image) -> Sequence[Piece]:
    if image.asked.format == "npy":
        return _npy(volume)
    if image.asked.format == "nii.gz":
        return nifti_gz(volume)
    return [encode_picture(volume, image.style, image.asked.format)]


def _npy(volume: Volume) -> list[Piece]:
    """What `numpy.save` writes, without a copy of the voxels."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(volume.voxels))
    return [head.getvalue(), memoryview(volume.voxels.reshape(-1).view(np.uint8).data)]


def _headers(dataset: OpenDataset, row: CatalogRow, image: _Image) -> dict[str, str]:
    plan, asked = image.plan, image.asked
    spatial = zip("zyx", plan.geometry.spacing, strict=True)
    spacing = [length for axis, length in spatial if axis in plan.axes] if plan.geometry.in_millimetres else None
    place = "inline" if asked.is_picture else "attachment"
    return {
        "Content-Type": MEDIA_TYPES[asked.format],
        "Content-Disposition": f'{place}; filename="{_file_name(row, image)}"',
        "Cache-Control": dataset.cache_control,
        "ETag": _etag(row, image),
        "Mist-Level": str(plan.plan.level),
        "Mist-Axes": plan.axes,
        "Mist-Shape": json.dumps(plan.shape),
        "Mist-Spacing": json.dumps(spacing),
        "Mist-Affine": json.dumps(plan.geometry.affine.tolist()),
    }


def _etag(row: CatalogRow, image: _Image) -> str:
    """Digest of everything that decides the bytes: the scan, the voxels chosen, how they are shown, who encodes."""
    style = repr(image.style) if image.asked.is_picture else ""
    decided: Json = [row.digest, image.plan.to_json(), image.asked.format, style, ENCODER_VERSION]
    return f'"{hex_digest(canonical_json(decided))[:32]}"'


def _file_name(row: CatalogRow, image: _Image) -> str:
    """Such as `scan-1_level2_slice40.png`; the slice is the one of the resolution that is delivered."""
    words = [row.scan_id, f"level{image.plan.plan.level}"]
    for name, index in (("slice", image.asked.slice_index), ("frame", image.asked.frame)):
        words += [] if index is None else [f"{name}{index}"]
    return f"{'_'.join(words)}.{image.asked.format}"
