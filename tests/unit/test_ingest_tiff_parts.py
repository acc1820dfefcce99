from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

from mist.errors import SourceRefused
from mist.ingest.refusal import refusing
from mist.ingest.tiff import read_tiff

COMPRESSIONS = (
    None,
    *("deflate", "lzw", "packbits", "lzma", "zstd", "lerc", "png", "webp", "jpeg", "jpeg2000", "jpegxl"),
)
LAYOUTS: list[dict[str, Any]] = [{"rowsperstrip": 16}, {"tile": (16, 16)}]


def noise(*shape: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 200, shape).astype(np.uint8)


def saved(path: Path, compression: str | None, **layout: Any) -> Path:  # noqa: ANN401 - what tifffile takes
    samples = noise(64, 48, 3) if compression == "webp" else noise(64, 48)
    tifffile.imwrite(path, samples, compression=compression, **layout)
    return path


def with_last_part(path: Path, *, count: int | None = None, offset: int | None = None) -> Path:
    """The file, which now says that its last strip or tile has so many bytes, or lies there."""
    with tifffile.TiffFile(path, mode="r+") as tiff:
        page = tiff.pages.first
        for names, value in ((("StripByteCounts", "TileByteCounts"), count), (("StripOffsets", "TileOffsets"), offset)):
            tag = next(page.tags[name] for name in names if name in page.tags)
            if value is not None:
                tag.overwrite((*tag.value[:-1], value))
    return path


def last_count(path: Path) -> int:
    with tifffile.TiffFile(path) as tiff:
        return int(tiff.pages.first.databytecounts[-1])


@pytest.mark.parametrize("layout", LAYOUTS, ids=["strips", "tiles"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_page_is_read_whole(compression: str | None, layout: dict[str, Any], tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tif", compression, **layout)
    np.testing.assert_array_equal(read_tiff(path, is_mask=False).volume.voxels, tifffile.imread(path))


@pytest.mark.parametrize("layout", LAYOUTS, ids=["strips", "tiles"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("part", [0.0, 0.5])
def test_a_part_that_is_left_out_or_ends_early_is_refused(
    compression: str | None, layout: dict[str, Any], part: float, tmp_path: Path
) -> None:
    path = saved(tmp_path / "a.tif", compression, **layout)
    with_last_part(path, count=int(part * last_count(path)))
    with pytest.raises(SourceRefused), refusing("a.tif"):
        read_tiff(path, is_mask=False)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("missing", [1, 2, 5, 20])
def test_a_part_that_lacks_a_few_bytes_is_read_right_or_refused(
    compression: str | None, missing: int, tmp_path: Path
) -> None:
    path = saved(tmp_path / "a.tif", compression)
    samples = tifffile.imread(path)
    with_last_part(path, count=last_count(path) - missing)
    require_right_or_refused(path, samples)


@pytest.mark.parametrize("layout", LAYOUTS, ids=["strips", "tiles"])
def test_a_part_without_a_place_is_refused(layout: dict[str, Any], tmp_path: Path) -> None:
    path = with_last_part(saved(tmp_path / "a.tif", None, **layout), offset=0)
    with pytest.raises(SourceRefused, match=r"page 0: of its \d+ strips or tiles 1 have no data; get the file again"):
        read_tiff(path, is_mask=False)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("missing", [1, 2, 3])
def test_lzw_data_that_lack_a_few_bits_are_read_right_or_refused(seed: int, missing: int, tmp_path: Path) -> None:
    samples = np.random.default_rng(seed).integers(0, 200, (16, 48)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", samples, compression="lzw", rowsperstrip=16)
    path = with_last_part(tmp_path / "a.tif", count=last_count(tmp_path / "a.tif") - missing)
    require_right_or_refused(path, samples)


def require_right_or_refused(path: Path, samples: npt.NDArray[np.uint8]) -> None:
    """What ends a stream may lack, where every sample stands before it."""
    try:
        with refusing(path.name):
            voxels = read_tiff(path, is_mask=False).volume.voxels
    except SourceRefused:
        return
    np.testing.assert_array_equal(voxels, samples)


def test_a_compression_whose_end_cannot_be_told_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tif", "jpegxr")
    with pytest.raises(SourceRefused, match="a TIFF of compression JPEGXR; save it anew"):
        read_tiff(path, is_mask=False)
