"""Scans that are larger than the memory that there is for them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from mist.ingest.run import ingest
from mist.request import Box, Request
from mist_storage.dataset import open_dataset
from mist_storage.workspace import Files

SLICES, SIDE = 128, 512

MEMORY = SLICES * SIDE * SIDE * 2 // 4
"""A quarter of the series, in bytes."""

LIMITED = """
import resource, sys
from pathlib import Path
from mist.ingest.discover import discover
from mist.ingest.job import Job
from mist.ingest.worker import do_job
from mist_storage.catalog import commit_rows
from mist_storage.decoding_threads import stay_on_one_thread

small, large, url, memory = *sys.argv[1:4], int(sys.argv[4])

def store(folder):
    (result,) = do_job(Job(url, discover([folder]).tasks, {}, memory_bytes=memory))
    return result.row or sys.exit(result.outcome.reason)

stay_on_one_thread()  # as a child process does
rows = [store(small)]  # loads all that a job needs
data = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
before = resource.getrlimit(resource.RLIMIT_DATA)
resource.setrlimit(resource.RLIMIT_DATA, (data + memory, before[1]))
rows.append(store(large))
resource.setrlimit(resource.RLIMIT_DATA, before)
commit_rows(url, rows)
"""
"""Stores a small series, then may take so much more memory, and stores a large one."""


def slice_at(place: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """An image with an edge and a little noise, other ones for other places."""
    rows, columns = np.ogrid[:SIDE, :SIDE]
    disc = (rows - 256) ** 2 + (columns - 256) ** 2 < (100 + place) ** 2
    noise = np.random.default_rng(place).integers(0, 16, (SIDE, SIDE), np.uint16)
    return np.where(disc, noise + 1000, noise).astype(np.uint16)


def write_series(folder: Path, slices: int) -> Path:
    """A CT of so many slices, 1 mm apart."""
    folder.mkdir()
    series = generate_uid()
    for place in range(slices):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
        dataset.SeriesInstanceUID, dataset.Modality = series, "CT"
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = SIDE, SIDE, 1
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
        dataset.PhotometricInterpretation, dataset.PixelSpacing = "MONOCHROME2", [1, 1]
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, place], [1, 0, 0, 0, 1, 0]
        dataset.PixelData = slice_at(place).tobytes()
        dataset.save_as(folder / f"{place:03}.dcm", enforce_file_format=True)
    return folder


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="memory is limited and counted on Linux only")
def test_a_series_four_times_the_memory_is_stored_exactly(tmp_path: Path) -> None:
    url = (tmp_path / "dataset").as_uri()
    small, large = write_series(tmp_path / "small", 4), write_series(tmp_path / "large", SLICES)

    done = subprocess.run(
        [sys.executable, "-c", LIMITED, small, large, url, str(MEMORY)],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )

    assert (done.returncode, done.stderr) == (0, "")
    scans = {scan.header.shape[0]: scan for scan in map(open_dataset(url).reader, open_dataset(url).catalog.scan_ids)}
    for first in range(0, SLICES, 32):
        box = Box((first, 0, 0), (first + 32, SIDE, SIDE))
        expected = np.stack([slice_at(place) for place in range(first, first + 32)])
        np.testing.assert_array_equal(scans[SLICES].read(Request(region=box)).voxels, expected)


def test_a_scan_in_files_is_stored_as_one_in_memory(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    voxels = np.random.default_rng(1).integers(0, 4000, (20, 60, 70))
    np.save(source / "integers.npy", voxels.astype(np.uint16))
    np.save(source / "floats.npy", voxels.astype(np.float32) / 4)
    ours, theirs = (tmp_path / "files").as_uri(), (tmp_path / "memory").as_uri()

    ingest([source], ours, workers=1, memory_bytes=1)
    ingest([source], theirs, workers=1)

    digests = [
        {scan_id: catalog.row(scan_id).digest for scan_id in catalog.scan_ids}
        for catalog in (open_dataset(url).catalog for url in (ours, theirs))
    ]
    assert len(digests[0]) == 2
    assert digests[0] == digests[1]


def test_a_disk_that_is_full_is_an_error_at_once(full_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(full_folder))
    with pytest.raises(OSError, match="No space left"):
        Files(slab_bytes=1).room((1 << 26,), np.int32)
