from __future__ import annotations

import numpy as np
import pytest

from mist.wavelet import WAVELETS, forward, inverse, wavelet_named
from mist_eval.bench_wavelets import COMPARED, INTERPOLATING, wavelet_levels
from mist_eval.phantoms import ct_volume
from tests.encoded_scan import encode_scan
from tests.stored_scan import blobs


def test_the_interpolating_wavelet_predicts_as_13_7_and_updates_as_5_3_by_its_formulas() -> None:
    signal = np.random.default_rng(0).integers(-1000, 1000, 40)
    reflected = np.pad(signal, 8, mode="reflect")
    even, odd = reflected[0::2].copy(), reflected[1::2].copy()  # sample 0 is even number 4
    for i in range(1, len(odd) - 2):
        odd[i] += (-9 * (even[i] + even[i + 1]) + (even[i - 1] + even[i + 2]) + 8) >> 4
    low = [even[i] + ((odd[i - 1] + odd[i] + 2) >> 2) for i in range(4, 24)]
    bands = forward(signal.astype(np.int32).reshape(1, 1, 1, -1), "x", INTERPOLATING)
    np.testing.assert_array_equal(bands[""].ravel(), low)
    np.testing.assert_array_equal(bands["x"].ravel(), odd[4:24])


@pytest.mark.parametrize("shape", [(1, 5, 1, 1), (2, 9, 14, 31), (1, 1, 2, 3)])
def test_the_interpolating_wavelet_gives_back_what_it_was_given(shape: tuple[int, ...]) -> None:
    coefficients = np.random.default_rng(0).integers(-(2**16), 2**16, shape).astype(np.int32)
    axes = "".join(axis for axis, length in zip("zyx", shape[1:], strict=True) if length > 1)
    back = inverse(forward(coefficients, axes, INTERPOLATING), axes, INTERPOLATING)
    np.testing.assert_array_equal(back, coefficients)


def test_no_scan_can_be_stored_with_the_interpolating_wavelet() -> None:
    assert INTERPOLATING.name not in WAVELETS
    assert INTERPOLATING not in WAVELETS.values()


def test_the_default_wavelet_comes_first_and_its_bytes_are_those_that_are_stored() -> None:
    volume = blobs("zyx", (24, 70, 90))
    levels = wavelet_levels(volume)
    assert [wavelet.name for wavelet in COMPARED] == ["13/7", "5/3", "(4,2)"]
    for wavelet in ("13/7", "5/3"):
        ends = [level.end_byte for level in encode_scan(volume, wavelet).header.levels]
        assert [levels[reduction].size[wavelet] for reduction in sorted(levels)] == ends


def test_full_resolution_is_exact_and_has_no_fidelity() -> None:
    levels = wavelet_levels(blobs("yx", (70, 90)))
    assert levels[0].psnr == {}
    assert all(set(level.psnr) == {"13/7", "5/3", "(4,2)"} for reduction, level in levels.items() if reduction)


def test_the_default_wavelet_is_truer_than_5_3_on_a_ct_phantom() -> None:
    phantom = blobs("zyx", (48, 160, 160)).with_voxels(ct_volume(), blobs("zyx", (1, 1, 1)).geometry)
    levels = wavelet_levels(phantom)
    assert all(level.psnr["13/7"] > level.psnr["5/3"] for reduction, level in levels.items() if reduction)
    assert wavelet_named("13/7") is COMPARED[0]
