from __future__ import annotations

import pytest
from pydicom import Dataset

from mist.errors import SourceRefused
from mist.ingest.dicom_values import rescales_of


def test_a_rescale_that_makes_all_values_one_is_refused() -> None:
    dataset = Dataset()
    dataset.Modality, dataset.RescaleSlope, dataset.RescaleIntercept = "CT", 0, 0

    with pytest.raises(SourceRefused, match=r"its Rescale Slope is 0.*correct the header"):
        rescales_of(dataset)
