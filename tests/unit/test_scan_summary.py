from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mist.geometry import geometry_from_dicom, geometry_of_indices
from mist.scan_summary import facts, level_facts, listed, to_json
from mist.volume import Volume
from mist_storage.catalog_row import CatalogRow
from tests.stored_scan import blobs, catalog_row, stored


@pytest.fixture(scope="module")
def ct() -> CatalogRow:
    position = geometry_from_dicom((-120.0, -100.5, 30.25), (1, 0, 0, 0, 1, 0), (0.75, 0.75), (0.0, 0.0, 2.0))
    volume = replace(blobs("zyx", (24, 64, 80)), geometry=position)
    return catalog_row(stored(volume, "ct").stored, {"age": 50, "note": None})


@pytest.fixture(scope="module")
def picture() -> CatalogRow:
    volume = Volume(np.zeros((30, 40), np.uint8), "yx", geometry_of_indices())
    return replace(catalog_row(stored(volume, "picture").stored), modality="", body_part="")


def test_a_scan_in_a_list_has_names_that_conditions_take(ct: CatalogRow) -> None:
    (row,) = listed([ct])
    assert row["scan_id"] == "ct"
    assert (row["shape"], row["spacing_mm"], row["dtype"]) == ("24 x 64 x 80", "2 x 0.75 x 0.75", "int16")
    assert row["age"] == 50


def test_what_no_scan_of_a_list_has_is_left_out(ct: CatalogRow, picture: CatalogRow) -> None:
    assert "modality" not in listed([picture])[0]
    assert "note" not in listed([ct])[0]
    assert listed([replace(ct, labels={}), picture])[1]["modality"] == ""


def test_a_label_hides_no_fact_that_has_its_name(ct: CatalogRow) -> None:
    row = replace(ct, labels={"levels": "many", "source": "clinic", "space": "outer"})
    assert (listed([row])[0]["levels"], listed([row])[0]["label levels"]) == (len(ct.header.levels), "many")
    assert facts(row)["label source"] == "clinic"
    assert (to_json(row)["space"], to_json(row)["labels"]) == ("patient", dict(row.labels))


def test_facts_tell_where_the_first_voxel_lies_if_anybody_knows(ct: CatalogRow, picture: CatalogRow) -> None:
    assert facts(ct)["first voxel (LPS mm)"] == "-120.000, -100.500, 30.250"
    assert "first voxel (LPS mm)" not in facts(picture)
    assert "mask" not in facts(picture)


def test_levels_tell_shape_spacing_and_cost(ct: CatalogRow) -> None:
    full, coarsest = level_facts(ct, 0), level_facts(ct, len(ct.header.levels) - 1)
    assert (full["shape"], full["of all"]) == ("24 x 64 x 80", "100.0%")
    assert coarsest["bytes"] == ct.header.levels[-1].end_byte


def test_json_tells_geometry_and_levels_in_full(ct: CatalogRow) -> None:
    told = to_json(ct)
    assert told["affine"] == ct.header.geometry.affine.tolist()
    assert [level["end_byte"] for level in told["levels"]] == [level.end_byte for level in ct.header.levels]  # type: ignore[attr-defined]
    assert "header" not in told
