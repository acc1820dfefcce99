"""What MIST promises of every scan, on real images and on a phantom whose positions are known.

Bit-exact voxels of every folder stand in `test_ingest_shared_data.py`; one line for each failure in `command/`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import mist_client
from mist.errors import ScanCorrupt
from mist.ingest.run import ingest
from mist.request import Request
from mist.wavelet import MASK_WAVELET
from mist_eval.phantoms import CT_ORIGIN_MM, CT_SHAPE, CT_SPACING_MM, CT_SPHERES, write_ct_series
from mist_storage.dataset import Dataset, open_dataset
from mist_storage.scan_reader import ScanReader
from tests.server_dataset import running_server
from tests.stored_scan import CountingStore

FOLDERS = ("ct_series_lidc0314", "mr_series_studyforrest", "cxr_nih", "hippocampus", "openjphpy_npy")
RADIOGRAPHS = 6
"""Of 137, so that the test takes seconds."""


def sources(folder: Path) -> list[Path]:
    return sorted((folder / "images").iterdir())[:RADIOGRAPHS] if folder.name == "cxr_nih" else [folder]


@pytest.fixture(scope="module")
def datasets(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Dataset]:
    """The shared folders as datasets."""
    made = {}
    for name in FOLDERS:
        url = str(tmp_path_factory.mktemp("shared") / name)
        table = shared_data / name / "labels.csv"
        labels = table if name == "hippocampus" else None
        assert ingest(sources(shared_data / name), url, labels=labels, workers=1).ok
        made[name] = open_dataset(url)
    return made


def counted(dataset: Dataset, scan_id: str) -> tuple[ScanReader, CountingStore]:
    """A reader of a scan, and what it reads of the store."""
    store, row = CountingStore(dataset.store), dataset.catalog.row(scan_id)
    return ScanReader(store, scan_id, row.digest, row.header), store


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_level_costs_one_range_its_prefix_and_stays_in_the_scans_range(
    datasets: Mapping[str, Dataset], folder: str
) -> None:
    dataset = datasets[folder]
    for scan_id in dataset.catalog.scan_ids:
        full = dataset.reader(scan_id).read(Request()).voxels
        for level, stored in enumerate(dataset.catalog.row(scan_id).header.levels):
            reader, store = counted(dataset, scan_id)
            voxels = reader.read(Request(level=level)).voxels
            assert (store.requests, store.ranges) == (["get_range"], [(0, stored.end_byte)]), (scan_id, level)
            assert full.min() <= voxels.min(), (scan_id, level)
            assert voxels.max() <= full.max(), (scan_id, level)


def test_every_mask_at_every_level_is_every_so_manieth_voxel_of_the_mask(datasets: Mapping[str, Dataset]) -> None:
    dataset = datasets["hippocampus"]
    rows = [dataset.catalog.row(scan_id) for scan_id in dataset.catalog.scan_ids]
    masks = [row for row in rows if row.mask_of is not None]
    for row in masks:
        full = dataset.reader(row.scan_id).read(Request()).voxels
        for level in range(len(row.header.levels)):
            z, y, x = row.header.pyramid.steps(level)
            voxels = dataset.reader(row.scan_id).read(Request(level=level)).voxels
            np.testing.assert_array_equal(voxels, full[::z, ::y, ::x], err_msg=f"{row.scan_id}, level {level}")
    assert {row.header.wavelet for row in masks} == {MASK_WAVELET}
    assert 2 * len(masks) == len(rows) > 200


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CT phantom, written as DICOM and ingested: a folder of one dataset called `ct`."""
    folder = tmp_path_factory.mktemp("phantom")
    write_ct_series(folder / "dicom")
    assert ingest([folder / "dicom"], str(folder / "root" / "ct"), workers=1).ok
    return folder / "root"


def only_scan(address: str) -> mist_client.Scan:
    (scan,) = mist_client.open(address)
    return scan


def known_positions(steps: tuple[int, ...], shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """LPS positions of every so manieth voxel of the phantom along (z, y, x), by what was written as DICOM alone."""
    z, y, x = (np.arange(0, full, step) for full, step in zip(CT_SHAPE, steps, strict=True))
    assert (len(z), len(y), len(x)) == shape
    left, back, low = CT_ORIGIN_MM
    dz, dy, dx = CT_SPACING_MM
    grid = np.meshgrid(low + z * dz, back + y * dy, left + x * dx, indexing="ij")
    return np.stack(grid[::-1], axis=-1)  # (x, y, z) in millimetres


def test_voxels_of_every_level_lie_where_the_phantoms_do(phantom: Path) -> None:
    scan = only_scan(str(phantom / "ct"))
    assert len(scan.levels) >= 4
    for level in range(len(scan.levels)):
        volume = scan.read(level=level)
        indices = np.moveaxis(np.indices(volume.voxels.shape), 0, -1)
        found = indices @ volume.affine[:3, :3].T + volume.affine[:3, 3]
        expected = known_positions(scan.row.header.pyramid.steps(level), volume.voxels.shape)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_sphere_of_the_phantom_is_found_at_its_position(phantom: Path, level: int) -> None:
    sphere = CT_SPHERES[1]
    volume = only_scan(str(phantom / "ct")).read(level=level)
    indices = np.moveaxis(np.indices(volume.voxels.shape), 0, -1)
    positions = indices @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    near = np.linalg.norm(positions - sphere.center_mm, axis=-1) < 2 * sphere.radius_mm
    excess = np.where(near, np.clip(volume.values() - 60, 0, None), 0)  # above the body and its noise
    center = (positions * excess[..., np.newaxis]).sum(axis=(0, 1, 2)) / excess.sum()
    np.testing.assert_allclose(center, sphere.center_mm, atol=0.15 * 2**level)


@pytest.mark.parametrize("damage", ["missing", "short", "altered"])
def test_damage_is_named_by_scan_and_level_in_the_library_and_is_the_servers_failure(
    phantom: Path, tmp_path: Path, damage: str
) -> None:
    copied = Path(shutil.copytree(phantom, tmp_path / "root")) / "ct"
    scan = only_scan(str(copied))
    spoil(next(path for path in copied.rglob("c/0/0/0/0")), damage, scan.levels[1].end_byte + 10)

    with pytest.raises(ScanCorrupt, match=f"scan '{scan.id}', level 0: "):
        scan.read(level=0)
    with running_server(str(tmp_path / "root")) as server:
        answer = server.ask(f"/v1/datasets/ct/scans/{scan.id}/image?level=0&format=npy")
    assert answer.status >= 500
    assert f"scan '{scan.id}', level 0: " in answer.json["detail"]


def spoil(blocks: Path, damage: str, at: int) -> None:
    data = bytearray(blocks.read_bytes())
    if damage == "missing":
        blocks.unlink()
    elif damage == "short":
        blocks.write_bytes(data[:at])
    else:
        data[at] ^= 1
        blocks.write_bytes(data)
