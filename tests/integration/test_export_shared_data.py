"""Real files: what comes back is what was ingested."""

from __future__ import annotations

import gzip
import io
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image

from mist.delivery.source_files import GivenFile, give_back
from mist.ingest.dicom import read_dicom
from mist.ingest.discover import discover
from mist.ingest.run import ingest
from mist.kept_wrapping import Wrapping
from mist_storage.dataset import Dataset, open_dataset
from mist_storage.keys import KEPT, SOURCE
from tests.source_files import drop_what_compression_says


def dataset_of(source: Path, folder: Path, labels: Path | None = None) -> Dataset:
    ingest([source], str(folder), labels=labels, workers=1)
    return open_dataset(str(folder))


def source_object_bytes(dataset: Dataset) -> int:
    """Bytes of everything that is stored beside the voxels so that files come back."""
    return sum(size for key, size in dataset.store.list("scans") if key.endswith((SOURCE, KEPT)))


@pytest.mark.parametrize(("folder", "files"), [("ct_series_lidc0314", 48), ("mr_series_studyforrest", 40)])
def test_a_series_comes_back_byte_for_byte_for_a_fiftieth_of_a_percent(
    shared_data: Path, tmp_path: Path, folder: str, files: int
) -> None:
    dataset = dataset_of(shared_data / folder, tmp_path / "dataset")
    given = give_back(dataset, [], tmp_path / "out")
    assert (given.exact, given.problems) == (files, ())
    for file in given.files:
        assert file.path.read_bytes() == (shared_data / folder / file.path.name).read_bytes()
    assert source_object_bytes(dataset) < 0.002 * sum(file.bytes for file in given.files)


def test_volumes_come_back_with_the_same_content(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "hippocampus" / "images"
    given = give_back(dataset_of(folder, tmp_path / "dataset"), [], tmp_path / "out")
    assert (len(given.files), given.problems) == (len([*folder.iterdir()]), ())
    for file in given.files:
        assert gzip.decompress(file.path.read_bytes()) == gzip.decompress((folder / file.path.name).read_bytes())


def test_radiographs_come_back_with_the_same_pixels(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "cxr_nih" / "images"
    given = give_back(dataset_of(folder, tmp_path / "dataset"), [], tmp_path / "out")
    assert (len(given.files), given.problems) == (len([*folder.iterdir()]), ())
    for file in given.files:
        with Image.open(file.path) as ours, Image.open(folder / file.path.name) as theirs:
            assert ours.info == theirs.info
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_every_odd_dicom_file_that_is_stored_comes_back(shared_data: Path, tmp_path: Path) -> None:
    found: Counter[Wrapping] = Counter()
    for number, path in enumerate(sorted((shared_data / "dicom_zoo").glob("*.dcm"))):
        if not discover([path]).tasks or not ingest([path], str(tmp_path / f"{number}"), workers=1).stored_bytes:
            continue
        given = give_back(open_dataset(str(tmp_path / f"{number}")), [], tmp_path / "out" / str(number))
        assert not given.problems, path
        assert_came_back(given.files[0], path)
        found[given.files[0].wrapping] += 1
    assert found.total() >= 101
    assert found[Wrapping.NONE] >= 39
    assert found[Wrapping.DECAPSULATED_DICOM] >= 61


def assert_came_back(file: GivenFile, path: Path) -> None:
    """`file` is the one at `path`, or has its pixels and all else of its header."""
    if file.wrapping is Wrapping.NONE:
        assert file.path.read_bytes() == path.read_bytes()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, of headers that break the standard
        ours, theirs = pydicom.dcmread(file.path), pydicom.dcmread(io.BytesIO(path.read_bytes()))
        np.testing.assert_array_equal(ours.pixel_array, pixels_of(theirs, path), err_msg=path.name)
        if file.wrapping is Wrapping.DECAPSULATED_DICOM:
            for dataset in (ours, theirs):
                drop_what_compression_says(dataset)
        assert ours == theirs, path.name


def pixels_of(dataset: pydicom.FileDataset, path: Path) -> npt.NDArray[np.generic]:
    """The pixels of a compressed file: pydicom's, or those that were stored where pydicom has no decoder."""
    try:
        return dataset.pixel_array
    except (NotImplementedError, RuntimeError):
        return read_dicom([path]).volume.voxels
