from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from mist.errors import InvalidRequest
from mist.geometry import Geometry, Space, geometry_from_spacing, geometry_of_indices
from mist.scan import MOST_BLOCKS, Display, ScanHeader, canonical_json, hex_digest
from mist.volume import Rescale, Volume
from tests.encoded_scan import encode_scan


def header() -> ScanHeader:
    affine = np.array([[0.1, 0.2, -0.7, -112.3], [0.0, 0.68, 0.3, 1e-9], [-2.5, 0.1, 0.0, -0.0], [0, 0, 0, 1]])
    voxels = np.random.default_rng(0).integers(-1000, 3000, (9, 70, 50)).astype(np.int16)
    volume = Volume(voxels, "zyx", Geometry(affine, Space.PATIENT), Rescale(0.1, -1024.0, "HU"))
    return encode_scan(volume).header


def fields() -> dict[str, Any]:
    """The header as it is read from a file."""
    read: dict[str, Any] = json.loads(canonical_json(header().to_json()))
    return read


def test_a_header_comes_back_from_its_json() -> None:
    assert ScanHeader.from_json(header().to_json()) == header()


def test_a_header_comes_back_from_its_json_as_text_bit_for_bit() -> None:
    back = ScanHeader.from_json(fields())
    assert back == header()
    assert back.geometry.affine.tobytes() == header().geometry.affine.tobytes()


def test_a_window_comes_back_too() -> None:
    display = {"window_center": 40, "window_width": 400.0, "inverted": True}
    assert ScanHeader.from_json(fields() | {"display": display}).display == Display(40.0, 400.0, inverted=True)


def test_a_level_has_its_shape_spacing_and_cost() -> None:
    voxels = np.zeros((9, 70, 51), np.int16)
    scan = encode_scan(Volume(voxels, "zyx", geometry_from_spacing((5, 0.5, 0.5)))).header
    info = scan.level_info(1)
    assert (info.level, info.shape, info.spacing_mm) == (1, (9, 35, 26), (5.0, 1.0, 1.0))
    assert info.end_byte == scan.levels[1].end_byte


def test_a_level_of_a_colour_loop_keeps_frames_and_colours() -> None:
    voxels = np.zeros((2, 70, 51, 3), np.uint8)
    scan = encode_scan(Volume(voxels, "tyxc", geometry_from_spacing((1, 0.5, 0.25)))).header
    assert scan.level_info(1).shape == (2, 70, 26, 3)
    assert scan.level_info(1).spacing_mm == (0.5, 0.5)


def test_a_level_has_no_spacing_where_the_source_tells_none() -> None:
    scan = encode_scan(Volume(np.zeros((40, 40), np.uint8), "yx", geometry_of_indices())).header
    assert scan.level_info(1).spacing_mm is None


def test_json_has_one_spelling() -> None:
    assert canonical_json({"b": 1, "a": [1.5, "é", None]}) == '{"a":[1.5,"é",null],"b":1}'.encode()


def test_json_holds_no_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


def test_a_digest_is_sha_256_in_hex() -> None:
    assert hex_digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("name", fields())
def test_a_missing_field_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        ScanHeader.from_json({key: value for key, value in fields().items() if key != name})


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_version_is_refused_by_its_number(version: object) -> None:
    with pytest.raises(InvalidRequest, match=f"format {version}"):
        ScanHeader.from_json(fields() | {"version": version})


def test_another_codec_is_refused_by_its_name() -> None:
    with pytest.raises(InvalidRequest, match="'htj2k'"):
        ScanHeader.from_json(fields() | {"codec": "htj2k"})


HUGE = 10**400
NAN = float("nan")

WRONG: dict[str, list[object]] = {
    "axes": ["xyz", ["z", "y", "x"], "yx", None],
    "shape": [
        [], [9, 70], [9, 70, 0], [9, -70, 50], [9, 70.0, 50], [9, 70, "50"], "970", [9, True, 50], [2**31] * 3,
        [2**30] * 3, [HUGE] * 3, [90, 7000, 50000], [NAN, 70, 50],
    ],
    "samples": [None, {}, [1, 2]],
    "samples.dtype": ["int64", "object", 3, None],
    "samples.coding": ["other", "scaled", None],
    "samples.slope": [NAN, 0, "1", HUGE, True],
    "samples.low": [0.5, -40_000, 3001, HUGE, None],
    "samples.more": [1],
    "affine": [
        [], [[1, 0, 0, 0]], [[1], [1, 2]], "eye", 3, [[NAN] * 4] * 4, [[0] * 4] * 4, [["1"] * 4] * 4, [[HUGE] * 4] * 4,
        [[1e300, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], [[[1]] * 4] * 4,
    ],
    "space": ["mars", 1, None],
    "rescale": [None, [1, 0, ""], {}],
    "rescale.slope": [0, float("inf"), "1"],
    "rescale.intercept": [NAN, None],
    "rescale.unit": [3, None],
    "display": [None, {}],
    "display.window_center": ["40", 40, NAN],
    "display.inverted": [0, "no", None],
    "wavelet": ["9/7", None, ["13/7"]],
    "halved": ["yx", ["yx"] * 100, [1, 2], [], ["x"] * 100_000, None, ["xy", "yx"]],
    "block_shape": [[1, 1], [1, 1, 0], [1, 1, 1.5], "888", [2**20] * 3, [1, 1, HUGE], None, [1, 1, -1]],
    "levels": [[], [3, 2, 1], {}, None, [{"end_byte": 10**6}] * 3],
    "codec": [None, 1],
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value"),
    [pytest.param(path, value, id=f"{path} {at}") for path, values in WRONG.items() for at, value in enumerate(values)],
)
def test_a_field_that_is_wrong_is_refused(path: str, value: object) -> None:
    changed = fields()
    name, _, part = path.partition(".")
    if part:
        changed[name][part] = value
    else:
        changed[name] = value
    with pytest.raises(InvalidRequest):
        ScanHeader.from_json(changed)


@pytest.mark.parametrize(
    "ends",
    [
        [], [10**6], [10**6] * 4, [10**6] * 3, [2, 1, 0], [3, 2, 1], [1000, 2000, 3000], [-1, -2, -3],
        [3e6, 2e6, 1e6], [10**6, NAN, 10], [10**6, "10", 1],
    ],
    ids=str,
)  # fmt: skip
def test_levels_that_cannot_hold_their_blocks_are_refused(ends: list[object]) -> None:
    levels = [{"end_byte": end, "digest": "0" * 64} for end in ends]
    with pytest.raises(InvalidRequest):
        ScanHeader.from_json(fields() | {"levels": levels})


def test_a_scan_of_more_blocks_than_can_be_is_refused_however_many_bytes_it_claims() -> None:
    ends = [{"end_byte": 10**15 - level, "digest": ""} for level in range(3)]
    with pytest.raises(InvalidRequest, match=f"more than {MOST_BLOCKS}"):
        ScanHeader.from_json(fields() | {"shape": [2000, 2000, 2000], "block_shape": [1, 8, 8], "levels": ends})


@pytest.mark.parametrize(
    ("center", "width"), [(1.0, None), (None, 1.0), (1.0, 0.0), (1.0, float("inf")), (float("nan"), 1.0)]
)
def test_half_a_window_or_an_impossible_one_is_refused(center: float | None, width: float | None) -> None:
    with pytest.raises(InvalidRequest, match="window"):
        Display(center, width)
