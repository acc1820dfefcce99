"""The image of a scan: everything decided first, then read, then encoded.

The rule: everything that can be refused is refused before a byte is read. The image route of the server and `mist get`
both come here, so that they give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mist.codec import Json
from mist.delivery.image_plan import ImagePlan, plan_image
from mist.delivery.image_request import ImageFormat, ImageRequest
from mist.delivery.nifti import check_nifti, nifti_gz
from mist.delivery.picture import ENCODER_VERSION, Style, check_picture, encode_picture, picture_style
from mist.delivery.piece import Piece
from mist.scan import ScanHeader, canonical_json, hex_digest
from mist.volume import Volume

MEDIA_TYPES: dict[ImageFormat, str] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "npy": "application/vnd.numpy",
    "nii.gz": "application/gzip",
}


@dataclass(frozen=True, slots=True)
class Image:
    """An image that has been decided on and not been read."""

    asked: ImageRequest
    plan: ImagePlan
    style: Style

    def digest(self, scan_digest: str) -> str:
        """Digest of everything that decides the bytes: the scan, the voxels chosen, how they are shown, who encodes."""
        style = repr(self.style) if self.asked.is_picture else ""
        decided: Json = [scan_digest, self.plan.to_json(), self.asked.format, style, ENCODER_VERSION]
        return hex_digest(canonical_json(decided))[:32]

    def encoded(self, volume: Volume) -> Sequence[Piece]:
        """The file, from the `volume` that `plan.request` reads."""
        delivered = self.plan.delivered(volume)
        if self.asked.format == "npy":
            return _npy(delivered)
        if self.asked.format == "nii.gz":
            return nifti_gz(delivered)
        return [encode_picture(delivered, self.style, self.asked.format)]


def decide_image(header: ScanHeader, asked: ImageRequest, max_bytes: int) -> Image:
    """The image that answers `asked` and makes no more than `max_bytes` of voxels.

    Raises
    ------
    InvalidRequest
        The scan or the format cannot answer, or the answer would be too large.
    """
    plan = plan_image(header, asked, max_bytes)
    if asked.is_picture:
        check_picture(asked, header.samples.dtype, plan.axes, plan.shape)
    if asked.format == "nii.gz":
        check_nifti(plan.axes, plan.shape, header.rescale, plan.geometry)
    return Image(asked, plan, picture_style(header, asked))


def _npy(volume: Volume) -> list[Piece]:
    """What `numpy.save` writes, without a copy of the voxels."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(volume.voxels))
    return [head.getvalue(), memoryview(volume.voxels.reshape(-1).view(np.uint8).data)]
