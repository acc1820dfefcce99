from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import NuclearMedicineImageStorage

from mist.geometry import Space
from mist.ingest.dicom import read_dicom
from mist.volume import Volume
from tests.dicom_objects import image, noise, save

SLICES = noise(5, 4, 6)
OBLIQUE = [0.8, 0.6, 0.0, -0.36, 0.48, 0.8]
NORMAL = np.cross(OBLIQUE[:3], OBLIQUE[3:])
FIRST = np.array([-100.0, 50.0, 7.5])


def tomogram(**attributes: object) -> Dataset:
    """A SPECT volume of which frame i is slice i + 1, 3 mm behind the one before."""
    detector = Dataset()
    detector.ImagePositionPatient, detector.ImageOrientationPatient = [*FIRST], OBLIQUE
    said = {
        "SOPClassUID": NuclearMedicineImageStorage,
        "Modality": "NM",
        "ImageType": ["DERIVED", "PRIMARY", "RECON TOMO", "EMISSION"],
        "PixelSpacing": [4.5, 4.0],
        "SpacingBetweenSlices": 3,
        "FrameIncrementPointer": 0x00540080,
        "SliceVector": [1, 2, 3, 4, 5],
        "DetectorInformationSequence": [detector],
    }
    return image(SLICES, frames=len(SLICES), **(said | attributes))


def volume_of(dataset: Dataset, folder: Path) -> Volume:
    return read_dicom([save(dataset, folder / "a.dcm")]).volume


def places(volume: Volume) -> dict[bytes, list[float]]:
    """Where each slice lies, whichever way they are ordered."""
    return {
        voxels.tobytes(): volume.geometry.positions((z, 0, 0)).round(4).tolist()
        for z, voxels in enumerate(volume.voxels)
    }


def test_the_frames_of_a_tomogram_are_slices_along_the_normal(tmp_path: Path) -> None:
    volume = volume_of(tomogram(), tmp_path)

    assert (volume.axes, volume.geometry.space) == ("zyx", Space.PATIENT)
    np.testing.assert_allclose(volume.geometry.spacing, (3, 4.5, 4))
    assert places(volume) == {
        SLICES[z].tobytes(): (FIRST + 3 * z * NORMAL).round(4).tolist() for z in range(len(SLICES))
    }


def test_a_negative_spacing_leads_against_the_normal(tmp_path: Path) -> None:
    volume = volume_of(tomogram(SpacingBetweenSlices=-3), tmp_path)

    assert places(volume) == {
        SLICES[z].tobytes(): (FIRST - 3 * z * NORMAL).round(4).tolist() for z in range(len(SLICES))
    }


def test_the_slice_vector_says_which_slice_a_frame_is(tmp_path: Path) -> None:
    volume = volume_of(tomogram(SliceVector=[5, 4, 3, 2, 1]), tmp_path)

    np.testing.assert_array_equal(volume.voxels, SLICES[::-1])


@pytest.mark.parametrize(
    "said",
    [
        {"ImageType": ["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"]},
        {"ImageType": ["ORIGINAL", "PRIMARY"]},
        {"SliceVector": [1, 1, 2, 2, 3]},
        {"SpacingBetweenSlices": None},
        {"DetectorInformationSequence": []},
        {"Modality": "OT"},
    ],
)
def test_frames_that_are_not_said_to_be_slices_stay_moments(tmp_path: Path, said: dict[str, object]) -> None:
    volume = volume_of(tomogram(**said), tmp_path)

    assert (volume.axes, volume.geometry.space) == ("tyx", Space.LOCAL)
    np.testing.assert_array_equal(volume.voxels, SLICES)
