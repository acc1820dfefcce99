from __future__ import annotations

import numpy as np
import pytest

from mist.geometry import geometry_from_spacing
from mist.pyramid import Pyramid
from mist.request import Request
from mist.volume import Volume
from mist.wavelet import MASK_WAVELET, WAVELETS, Wavelet, wavelet_named
from mist_eval.fidelity import lanczos_subsample, psnr
from mist_eval.integer_volume import IntegerVolume, in_plane_levels
from tests.encoded_scan import encode_scan
from tests.stored_scan import blobs

VOLUMES = {
    "image": blobs("yx", (150, 203), "uint16"),
    "volume": blobs("zyx", (20, 70, 90)),
    "thick slices": Volume(blobs("zyx", (9, 140, 90)).voxels, "zyx", geometry_from_spacing((5.0, 0.7, 0.7))),
    "frames in colour": blobs("tyxc", (2, 70, 90, 3), "uint8"),
}


@pytest.mark.parametrize("wavelet", sorted(WAVELETS.keys() - {MASK_WAVELET}))
@pytest.mark.parametrize("name", sorted(VOLUMES))
def test_levels_are_those_that_would_be_stored_and_delivered(name: str, wavelet: str) -> None:
    integers, scan = IntegerVolume.of(VOLUMES[name]), encode_scan(VOLUMES[name], wavelet)
    assert integers.level_bytes(wavelet_named(wavelet)) == [level.end_byte for level in scan.header.levels]
    for level, made in enumerate(integers.level_voxels(wavelet_named(wavelet)), start=1):
        delivered = IntegerVolume.of(scan.read(Request(level=level))).planes
        np.testing.assert_array_equal(made, delivered)


def test_fidelity_is_measured_against_a_lanczos_subsample_on_the_grid_of_the_level() -> None:
    volume = VOLUMES["thick slices"]
    wavelets = [wavelet_named("13/7"), wavelet_named("5/3")]
    found = IntegerVolume.of(volume).level_psnr(wavelets)
    peak = float(volume.voxels.max()) - float(volume.voxels.min())
    level = encode_scan(volume, "5/3").read(Request(level=2)).voxels
    assert found[1]["5/3"] == pytest.approx(psnr(level, lanczos_subsample(volume.voxels, (1, 4, 4)), peak))
    assert found[1]["13/7"] > found[1]["5/3"]


def test_an_image_of_one_value_is_as_true_as_can_be() -> None:
    flat = Volume(np.full((70, 70), 7, np.int16), "yx", geometry_from_spacing((1, 1, 1)))
    assert [set(by.values()) for by in IntegerVolume.of(flat).level_psnr([wavelet_named("13/7")])] == [{np.inf}] * 2


def test_a_wavelet_need_not_be_one_that_scans_may_be_stored_with() -> None:
    integers = IntegerVolume.of(VOLUMES["image"])
    unnamed = Wavelet("mine", wavelet_named("5/3").steps)
    assert integers.level_bytes(unnamed) == integers.level_bytes(wavelet_named("5/3"))


@pytest.mark.parametrize(
    ("halved", "levels"),
    [
        (("yx", "yx", "zyx"), {0: 0, 1: 1, 2: 2, 3: 3}),
        (("z", "z", "zyx", "zyx"), {0: 0, 1: 3, 2: 4}),
        (("x", "yx", "yx"), {0: 0, 1: 1, 2: 2, 3: 3}),
        (("x", "y", "yx"), {0: 0, 1: 1, 2: 3}),
        ((), {0: 0}),
    ],
)
def test_a_reduction_is_the_finest_level_that_is_reduced_so_often(
    halved: tuple[str, ...], levels: dict[int, int]
) -> None:
    assert in_plane_levels(Pyramid((64, 64, 64), halved)) == levels
