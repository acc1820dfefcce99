"""A scan to be into a scan, whatever its format.

The rule: one table says who reads what, and everything that goes wrong in a reader is a refusal of that scan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from mist.ingest.arrays import read_array
from mist.ingest.dicom import read_dicom, read_segmentation
from mist.ingest.nifti import read_nifti
from mist.ingest.pictures import read_picture
from mist.ingest.refusal import refusing
from mist.ingest.source import Contents, DecodedSource, ScanTask, SourceFile, SourceKind, SourceScan, read_files
from mist.ingest.tiff import read_tiff
from mist_storage.workspace import MEMORY, Workspace

_READERS: Mapping[SourceKind, Callable[[ScanTask, Workspace, Contents], DecodedSource]] = {
    SourceKind.DICOM: lambda task, workspace, held: read_dicom(task.paths, workspace, held, task.seen),
    SourceKind.NIFTI: lambda task, workspace, _: read_nifti(task.paths[0], workspace),
    SourceKind.PICTURE: lambda task, _, held: read_picture(task.paths[0], is_mask=task.is_mask, held=held),
    SourceKind.TIFF: lambda task, *_: read_tiff(task.paths[0], is_mask=task.is_mask),
    SourceKind.NUMPY: lambda task, workspace, _: read_array(task.paths[0], workspace),
}
"""How each kind of source is read."""

READ_FROM_MEMORY = frozenset({SourceKind.DICOM, SourceKind.PICTURE})
"""Kinds whose readers read nothing of a file that is held."""


def load_scan(
    task: ScanTask,
    files: Sequence[SourceFile] | None = None,
    workspace: Workspace = MEMORY,
    held: Contents = MappingProxyType({}),
) -> SourceScan:
    """The scan that `task` describes.

    Parameters
    ----------
    files
        What `read_files` says of the task's paths, where that is known already.
    workspace
        Makes room for voxels.
    held
        The files that are held in memory.

    Raises
    ------
    SourceRefused
        It cannot be read, or not exactly; the message names the source.
    """
    with refusing(task.source):
        decoded = _READERS[task.kind](task, workspace, held)
        known = tuple(files) if files is not None else read_files(task.paths)
    return SourceScan(task.scan_id, task.is_mask, decoded, known)


def load_segmentation(
    task: ScanTask, image: Sequence[Path], files: Sequence[SourceFile], workspace: Workspace = MEMORY
) -> SourceScan:
    """The scan of `task`, a DICOM segmentation, on the grid of the scan in the DICOM files `image`.

    Raises
    ------
    SourceRefused
        It cannot be read, or does not lie on that grid.
    """
    with refusing(task.source):
        decoded = read_segmentation(task.paths[0], image, workspace)
    return SourceScan(task.scan_id, task.is_mask, decoded, tuple(files))
