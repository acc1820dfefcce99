"""Real images: what is stored equals, bit for bit, what an independent reader reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image

from mist.errors import SourceRefused
from mist.ingest.discover import discover
from mist.ingest.load import load_scan
from mist.ingest.report import IngestReport
from mist.ingest.run import ingest
from mist.request import Request
from mist_storage.dataset import Dataset, open_dataset

Reader = Callable[[Path], npt.NDArray[Any]]


def stored(tmp_path: Path, source: Path, labels: Path | None = None) -> tuple[IngestReport, Dataset]:
    report = ingest([source], (tmp_path / "dataset").as_uri(), labels=labels, workers=1)
    return report, open_dataset((tmp_path / "dataset").as_uri())


def assert_each_equals(dataset: Dataset, files: dict[str, Path], read: Reader) -> None:
    """Every scan of `dataset` is one of `files`, by scan id, and holds what `read` gives."""
    assert dataset.catalog.scan_ids == sorted(files)
    for scan_id, path in files.items():
        voxels, expected = dataset.reader(scan_id).read(Request()).voxels, read(path)
        assert voxels.dtype == expected.dtype.newbyteorder("="), scan_id
        np.testing.assert_array_equal(voxels, expected, err_msg=scan_id)


def by_name(paths: Iterable[Path], prefix: str = "") -> dict[str, Path]:
    return {prefix + path.name.partition(".")[0]: path for path in paths}


def read_nifti(path: Path) -> npt.NDArray[Any]:
    return np.asarray(nib.load(path).dataobj).T  # type: ignore[attr-defined]


def read_picture(path: Path) -> npt.NDArray[Any]:
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.mark.parametrize(
    ("folder", "shape", "spacing_mm"),
    [
        ("ct_series_lidc0314", (48, 512, 512), (1.0, 0.78125, 0.78125)),
        ("mr_series_studyforrest", (40, 384, 274), (0.666667, 0.666667, 0.699988)),
    ],
)
def test_a_series_is_stored_as_pydicom_reads_it(
    shared_data: Path, tmp_path: Path, folder: str, shape: tuple[int, ...], spacing_mm: tuple[float, ...]
) -> None:
    report, dataset = stored(tmp_path, shared_data / folder)

    slices = [pydicom.dcmread(path) for path in (shared_data / folder).glob("*.dcm")]
    normal = np.cross(slices[0].ImageOrientationPatient[:3], slices[0].ImageOrientationPatient[3:])
    slices.sort(key=lambda dataset: float(np.dot(dataset.ImagePositionPatient, normal)))
    volume = dataset.reader(slices[0].SeriesInstanceUID).read(Request())
    assert report.ok
    assert volume.voxels.shape == shape
    np.testing.assert_array_equal(volume.voxels, np.stack([dataset.pixel_array for dataset in slices]))
    assert volume.geometry.spacing == pytest.approx(spacing_mm, abs=1e-6)
    for place, one in enumerate(slices):
        np.testing.assert_allclose(volume.geometry.positions([place, 0, 0]), one.ImagePositionPatient, atol=1e-3)


def test_chest_radiographs_are_stored_as_pillow_reads_them(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "cxr_nih"

    report, dataset = stored(tmp_path, folder, folder / "labels.csv")

    assert report.ok
    assert_each_equals(dataset, by_name((folder / "images").iterdir(), "images-"), read_picture)
    assert dataset.catalog.row("images-00000150_002").labels["age"] == 55


def test_volumes_and_their_masks_are_stored_as_nibabel_reads_them(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "hippocampus"
    files = by_name((folder / "images").iterdir(), "images-") | by_name((folder / "labels").iterdir(), "labels-")

    report, dataset = stored(tmp_path, folder, folder / "labels.csv")

    rows = [dataset.catalog.row(scan_id) for scan_id in dataset.catalog.scan_ids]
    assert report.ok
    assert_each_equals(dataset, files, read_nifti)
    assert {row.scan_id for row in rows if row.header.wavelet == "lazy"} == {row.mask for row in rows if row.mask}
    assert all(row.mask_of == f"images-{row.scan_id.removeprefix('labels-')}" for row in rows if row.mask is None)


def test_arrays_are_stored_as_numpy_reads_them(shared_data: Path, tmp_path: Path) -> None:
    report, dataset = stored(tmp_path, shared_data / "openjphpy_npy")

    assert report.ok
    assert_each_equals(dataset, by_name((shared_data / "openjphpy_npy").glob("*.npy")), np.load)


def test_a_tilted_gantry_is_refused_with_the_reason(shared_data: Path) -> None:
    found = discover([shared_data / "ct_tilt_phantom"])

    assert not found.tasks
    assert "the gantry was tilted: slices are shifted by 18.5 degrees" in found.refusals[0].reason


def test_every_odd_dicom_file_is_an_image_or_refused_in_one_line(shared_data: Path) -> None:
    outcomes = {path.name: outcome_of(path) for path in sorted((shared_data / "dicom_zoo").glob("*.dcm"))}

    assert len(outcomes) == 133
    assert sum(outcome == "stored" for outcome in outcomes.values()) >= 102
    assert not [name for name, outcome in outcomes.items() if "\n" in outcome]


def outcome_of(path: Path) -> str:
    """What becomes of one DICOM file."""
    found = discover([path])
    try:
        loaded = [load_scan(task) for task in found.tasks]
    except SourceRefused as error:
        return str(error)
    return "stored" if loaded else "; ".join(refusal.reason for refusal in found.refusals) or "skipped"
