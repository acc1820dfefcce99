"""One scan of a dataset: what is known of it, and its voxels at any resolution.

The rule: everything but `read` and `refine` comes from the catalog and fetches nothing. Knows nothing of how bytes are
found: `mist_storage` reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mist.geometry import Geometry
from mist.request import Request
from mist.scan import LevelInfo
from mist.volume import Volume
from mist_client.region import Region, region_box
from mist_storage.catalog import CatalogRow, Label
from mist_storage.scan_reader import ScanReader


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One scan. Pickles by address, digest and catalog row, without voxels or connections.

    Parameters
    ----------
    row
        What the catalog says of it.
    reader
        Reads its objects.
    uri
        Its address with the dataset's version, as `mist_client.monai_reader` takes it.
    mask
        The scan of its label mask, or None where it has none.
    """

    row: CatalogRow
    reader: ScanReader
    uri: str
    mask: Scan | None = None

    def __repr__(self) -> str:
        kind = " ".join(filter(None, (self.modality, self.body_part)))
        return f"<Scan {self.id!r} {self.axes} {'x'.join(map(str, self.shape))} {self.dtype} {kind}".rstrip() + ">"

    @property
    def id(self) -> str:
        """Its name in the dataset."""
        return self.row.scan_id

    @property
    def modality(self) -> str:
        """DICOM's Modality, such as `CT`; empty where the source is silent."""
        return self.row.modality

    @property
    def body_part(self) -> str:
        """DICOM's Body Part Examined, such as `CHEST`; empty where the source is silent."""
        return self.row.body_part

    @property
    def labels(self) -> Mapping[str, Label]:
        """Its values in the label columns; None where it has none."""
        return MappingProxyType(dict(self.row.labels))

    @property
    def axes(self) -> str:
        """The axes of its voxels, such as `zyx`: see `mist.volume.AXES`."""
        return self.row.header.axes

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the voxels at level 0, in `axes`."""
        return self.row.header.shape

    @property
    def dtype(self) -> str:
        """The type of its samples, by NumPy's name."""
        return self.row.header.samples.dtype

    @property
    def geometry(self) -> Geometry:
        """Where the voxels of level 0 lie."""
        return self.row.header.geometry

    @property
    def levels(self) -> tuple[LevelInfo, ...]:
        """Shape, spacing and cost in bytes of each resolution; `levels[0]` is the full one."""
        header = self.row.header
        return tuple(header.level_info(level) for level in range(len(header.levels)))

    def read(
        self,
        *,
        level: int | None = None,
        size: int | tuple[int, int] | None = None,
        spacing_mm: float | None = None,
        max_bytes: int | None = None,
        region: Region | None = None,
    ) -> Volume:
        """The voxels at one resolution, with the affine that is true for them. Level 0 where none is named.

        Parameters
        ----------
        level
            A stored level, never resampled; 0 is full resolution, each further one a halving.
        size
            Pixels of the shorter in-plane side, aspect kept; or exactly (height, width).
        spacing_mm
            Spacing along every spatial axis, in millimetres.
        max_bytes
            The finest level that costs at most this many bytes.
        region
            What of the scan is wanted, half-open in voxels of level 0: a (start, stop) pair or slice for each of the
            scan's spatial axes, or text such as `10:20,:,0:256`.

        Raises
        ------
        InvalidRequest
            The scan cannot answer: there is no such level, no spacing is known, the region lies outside.
        ScanCorrupt
            Stored bytes are missing, short, swapped or altered.
        StoreError
            The store failed.
        """
        return self.reader.read(Request(level, size, spacing_mm, max_bytes, region_box(region, self.row.header)))

    def refine(
        self,
        *,
        level: int | None = None,
        size: int | tuple[int, int] | None = None,
        spacing_mm: float | None = None,
        max_bytes: int | None = None,
        region: Region | None = None,
    ) -> Iterator[Volume]:
        """Coarse to fine: the coarsest level first, what `read` gives for the same arguments last.

        Each step fetches only the bytes that it adds, so stopping early has cost no more than the last volume did.
        Parameters and errors are those of `read`.
        """
        request = Request(level, size, spacing_mm, max_bytes, region_box(region, self.row.header))
        return self.reader.refine(request)
