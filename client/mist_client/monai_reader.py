"""Scans as files that MONAI's `LoadImage` reads: `LoadImaged(keys, reader=MistReader(level=2))`.

Files are named by addresses: `mist+file:///data/cxr#scan-7`, `mist+s3://bucket/cxr@12#scan-7`,
`mist+https://host/v1/datasets/cxr/store#scan-7`; `scan.uri` gives a scan's.

The rule: the affine given is true for the array given: it maps the indices of the array's own spatial axes, in the
scan's order (z, y, x), to RAS millimetres. A NIfTI file read by MONAI has its axes in order (x, y, z); both agree on
where each voxel lies.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from monai.data.image_reader import ImageReader
from monai.utils.enums import MetaKeys, SpaceKeys
from monai.utils.misc import ensure_tuple

from mist.errors import InvalidRequest
from mist.request import Request
from mist.volume import Volume, Voxels
from mist_client.channel_first import array_affine, same_grid, sample_array, value_array
from mist_client.dataset import CACHE_BYTES, Dataset
from mist_client.dataset import open as open_dataset
from mist_client.region import Region, region_box
from mist_client.scan_uri import ScanUri, is_scan_uri

Name = str | os.PathLike[str]
Meta = dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64 | np.int64]] | float | str]


class MistReader(ImageReader):
    """Reads scans by address, at one resolution. Pickles without connections.

    Parameters
    ----------
    level, size, spacing_mm, max_bytes, region
        What to read of each scan, as of `Scan.read`; level 0 where no resolution is given.
    raw
        Whether to give the stored samples in place of physical values (float32, after the source's rescaling).
    cache_bytes
        As of `mist_client.open`, for each dataset.

    Raises
    ------
    InvalidRequest
        Two resolutions are given.
    """

    def __init__(  # noqa: PLR0913 - each says one thing of what is read
        self,
        *,
        level: int | None = None,
        size: int | tuple[int, int] | None = None,
        spacing_mm: float | None = None,
        max_bytes: int | None = None,
        region: Region | None = None,
        raw: bool = False,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        super().__init__()
        self._request = Request(level, size, spacing_mm, max_bytes)
        self._region = region
        self._raw = raw
        self._cache_bytes = cache_bytes
        self._datasets: dict[str, Dataset] = {}

    def verify_suffix(self, filename: Sequence[Name] | Name) -> bool:
        """Whether every name is the address of a scan."""
        return all(is_scan_uri(os.fspath(name)) for name in ensure_tuple(filename))

    def read(self, data: Sequence[Name] | Name, **_: object) -> tuple[Volume, ...]:
        """The volumes at the addresses `data`.

        Raises
        ------
        InvalidRequest
            A name is not the address of a scan, or the scan cannot be had at this resolution.
        DatasetNotFound, ScanNotFound, ScanCorrupt, StoreError
            As of `mist_client.open` and `Scan.read`.
        """
        return tuple(self._volume(os.fspath(name)) for name in ensure_tuple(data))

    def get_data(self, img: Sequence[Volume]) -> tuple[Voxels, Meta]:
        """The array and its metadata; several volumes become channels of one array.

        A volume of one channel is an array of its spatial axes alone, any other is (channels, *spatial), as
        `original_channel_dim` says.

        Raises
        ------
        InvalidRequest
            The volumes do not lie on one grid.
        """
        first = img[0]
        if not all(same_grid(first, other) for other in img):
            shapes = " and ".join(str(volume.spatial_shape) for volume in img)
            raise InvalidRequest(
                f"volumes of shapes {shapes} do not lie on one grid and cannot be channels of one image"
            )
        array = np.concatenate([sample_array(volume) if self._raw else value_array(volume) for volume in img])
        meta = _meta(first, array)
        return (array[0] if len(array) == 1 else array), meta

    def _volume(self, name: str) -> Volume:
        uri = ScanUri.parse(name)
        if uri.dataset_url not in self._datasets:
            self._datasets[uri.dataset_url] = open_dataset(uri.dataset_url, cache_bytes=self._cache_bytes)
        scan = self._datasets[uri.dataset_url][uri.scan_id]
        wanted = self._request
        box = region_box(self._region, scan.row.header)
        return scan.reader.read(Request(wanted.level, wanted.size, wanted.spacing_mm, wanted.max_bytes, box))


def _meta(volume: Volume, array: Voxels) -> Meta:
    """MONAI's metadata of `array`, (channels, *spatial)."""
    affine = array_affine(volume)
    return {
        MetaKeys.AFFINE.value: affine,
        MetaKeys.ORIGINAL_AFFINE.value: affine.copy(),
        MetaKeys.SPACE.value: SpaceKeys.RAS.value,
        MetaKeys.SPATIAL_SHAPE.value: np.array(array.shape[1:]),
        MetaKeys.ORIGINAL_CHANNEL_DIM.value: float("nan") if len(array) == 1 else 0,
    }
