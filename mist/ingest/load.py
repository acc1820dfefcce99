"""A scan to be into a scan, whatever its format.

The rule: one table says who reads what, and everything that goes wrong in a reader is a refusal of that scan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mist.ingest.arrays import read_array
from mist.ingest.dicom import read_dicom, read_segmentation
from mist.ingest.nifti import read_nifti
from mist.ingest.pictures import read_picture
from mist.ingest.refusal import refusing
from mist.ingest.source import DecodedSource, ScanTask, SourceFile, SourceKind, SourceScan, read_files
from mist.ingest.tiff import read_tiff
from mist_storage.workspace import MEMORY, Workspace

_READERS: Mapping[SourceKind, Callable[[ScanTask, Workspace], DecodedSource]] = {
    SourceKind.DICOM: lambda task, workspace: read_dicom(task.paths, workspace),
    SourceKind.NIFTI: lambda task, workspace: read_nifti(task.paths[0], workspace),
    SourceKind.PICTURE: lambda task, _: read_picture(task.paths[0], is_mask=task.is_mask),
    SourceKind.TIFF: lambda task, _: read_tiff(task.paths[0], is_mask=task.is_mask),
    SourceKind.NUMPY: lambda task, workspace: read_array(task.paths[0], workspace),
}
"""How each kind of source is read."""


def load_scan(task: ScanTask, files: Sequence[SourceFile] | None = None, workspace: Workspace = MEMORY) -> SourceScan:
    """The scan that `task` describes.

    Parameters
    ----------
    files
        What `read_files` says of the task's paths, where that is known already.
    workspace
        Makes room for voxels.

    Raises
    ------
    SourceRefused
        It cannot be read, or not exactly; the message names the source.
    """
    with refusing(task.source):
        decoded = _READERS[task.kind](task, workspace)
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
