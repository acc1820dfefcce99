from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from monai.data.image_reader import NibabelReader
from monai.data.meta_tensor import MetaTensor
from monai.transforms.io.array import LoadImage
from monai.transforms.io.dictionary import LoadImaged

import mist_client
from mist.errors import InvalidRequest
from mist.geometry import nifti_affine
from mist_client.monai_reader import MistReader

# LoadImage makes one of each of MONAI's own readers first, whether its decoder is installed or not.
pytestmark = pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader:UserWarning")

FieldOf = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


def test_a_scan_and_its_nifti_file_agree_on_where_each_voxel_lies(dataset: mist_client.Dataset, tmp_path: Path) -> None:
    scan = dataset["ct-3"]
    path = tmp_path / "ct-3.nii"
    values = scan.read().values().transpose(2, 1, 0)  # (x, y, z)
    nib.Nifti1Image(values, nifti_affine(scan.geometry)).to_filename(path)
    ours, theirs = LoadImage(MistReader())(scan.uri), LoadImage(NibabelReader())(path)
    assert np.array_equal(ours.numpy(), theirs.numpy().transpose(2, 1, 0))
    voxel = np.array([11, 70, 33])
    place = ours.affine.numpy() @ [*voxel, 1]
    assert np.allclose(place, theirs.affine.numpy() @ [*voxel[::-1], 1], atol=1e-4)


def test_the_affine_of_a_reduced_region_is_true(dataset: mist_client.Dataset, value_at: FieldOf) -> None:
    image = LoadImage(MistReader(level=2, region="4:36,:,16:80"))(dataset["ct-2"].uri)
    z, y, x = 8, 12, 7
    ras = (image.affine.numpy() @ [z, y, x, 1])[:3]
    assert float(image[z, y, x]) == pytest.approx(value_at(ras * (-1, -1, 1)), abs=3)


def test_image_and_mask_load_as_a_dictionary(dataset: mist_client.Dataset) -> None:
    scan = dataset["ct-0"]
    assert scan.mask is not None
    reader = MistReader(level=1)
    load = LoadImaged(("image", "mask"), reader, ensure_channel_first=True)  # type: ignore[arg-type]  # says: a class
    loaded = load({"image": scan.uri, "mask": scan.mask.uri})
    assert loaded["image"].shape == loaded["mask"].shape == (1, 40, 48, 40)
    assert isinstance(loaded["mask"], MetaTensor)


def test_colours_become_channels(dataset: mist_client.Dataset) -> None:
    image = LoadImage(MistReader(), ensure_channel_first=True)(dataset["photo-0"].uri)
    assert image.shape == (3, 48, 40)


def test_raw_samples_are_given_where_asked_for(dataset: mist_client.Dataset) -> None:
    array, _ = (reader := MistReader(raw=True)).get_data(reader.read(dataset["ct-0"].uri))
    assert np.array_equal(array, dataset["ct-0"].read().voxels)


def test_several_scans_on_one_grid_become_channels(dataset: mist_client.Dataset) -> None:
    scan = dataset["ct-0"]
    assert scan.mask is not None
    array, meta = (reader := MistReader(level=2)).get_data(reader.read([scan.uri, scan.mask.uri]))
    assert (array.shape, meta["original_channel_dim"]) == ((2, 20, 24, 20), 0)


def test_scans_on_different_grids_are_refused(dataset: mist_client.Dataset) -> None:
    reader = MistReader(level=2)
    with pytest.raises(InvalidRequest, match="do not lie on one grid"):
        reader.get_data(reader.read([dataset["ct-0"].uri, dataset["ct-1"].uri]))


def test_only_addresses_of_scans_are_taken(dataset: mist_client.Dataset) -> None:
    reader = MistReader()
    assert reader.verify_suffix(dataset["ct-0"].uri)
    assert not reader.verify_suffix([dataset["ct-0"].uri, "image.nii.gz"])


def test_a_reader_pickles_without_what_it_has_opened(dataset: mist_client.Dataset) -> None:
    reader = MistReader(level=1)
    reader.read(dataset["ct-0"].uri)
    assert len(pickle.dumps(reader)) < 1024
