"""Which scans `mist bench` measures: the sets that its sources are, and what is taken of each.

The rule: a folder is a set, called by its name, and is searched through as ingest would. Files that are named one by
one are scans one by one, and those of one folder are one set. Masks, what cannot be read, what cannot be stored and
what was measured already are left out, with a note that says why. Knows nothing of what is measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mist.console import note
from mist.errors import SourceRefused
from mist.volume import Volume
from mist_eval.thick_slices import thick_slices
from mist_eval.volumes import NamedVolume, volumes_in


@dataclass(frozen=True, slots=True)
class Choice:
    """What is taken of a set.

    Parameters
    ----------
    splits
        Only these splits of a folder whose `labels.csv` has any; all of them where empty.
    every
        Only every so manieth scan of a folder, or file of a set of files.
    modalities
        Only these of DICOM's modalities; all of them, and images without one, where empty.
    unlike
        Scans whose voxels are those of a scan of these files and folders are left out: what the coder's tables were
        trained on, for one.
    thick_mm
        Volumes are measured with slices averaged to about this distance; None: as they are.
    """

    splits: tuple[str, ...] = ()
    every: int = 1
    modalities: tuple[str, ...] = ()
    unlike: tuple[Path, ...] = ()
    thick_mm: float | None = None


@dataclass(frozen=True, slots=True)
class BenchSet:
    """Scans that are measured together."""

    name: str
    """Of the folder, with the thickness of slices where they are made thick."""
    sources: tuple[Path, ...]
    """The folder, or files."""
    choice: Choice

    def scans(self) -> Iterator[NamedVolume]:
        """The images of the set, one by one; each is there once, however many files hold it."""
        seen = {_digest(scan.volume) for source in self.choice.unlike for scan in volumes_in(source)}
        for scan in self._found():
            if scan.is_mask or (self.choice.modalities and scan.modality not in self.choice.modalities):
                continue
            digest = _digest(scan.volume)
            if digest in seen:
                note(f"left out: {scan.name}: the same image as one before, or as one of those to leave out")
                continue
            seen.add(digest)
            try:
                yield _as_measured(scan, self.choice)
            except SourceRefused as error:
                note(f"left out: {scan.name}: {error}")

    def _found(self) -> Iterator[NamedVolume]:
        files = [source for source in self.sources if source.is_file()]
        for folder in self.sources:
            if folder not in files:
                yield from volumes_in(folder, splits=self.choice.splits or None, every=self.choice.every)
        for file in files[:: self.choice.every]:
            yield from volumes_in(file)


def bench_sets(sources: Sequence[Path], choice: Choice) -> list[BenchSet]:
    """The sets that `sources`, folders and files, are, in the order in which they are named first."""
    together: dict[Path, list[Path]] = {}
    for source in sources:
        folder = source.absolute()
        together.setdefault(folder.parent if source.is_file() else folder, []).append(source)
    thick = "" if choice.thick_mm is None else f", {choice.thick_mm:g} mm"
    return [BenchSet(f"{folder.name}{thick}", tuple(paths), choice) for folder, paths in together.items()]


def _digest(volume: Volume) -> bytes:
    """By which equal voxels are known again."""
    kind = f"{volume.axes} {volume.voxels.shape} {volume.voxels.dtype}"
    return hashlib.sha256(kind.encode() + np.ascontiguousarray(volume.voxels).tobytes()).digest()


def _as_measured(scan: NamedVolume, choice: Choice) -> NamedVolume:
    """`scan` as it is measured: grey where it is grey, with thick slices where the choice says so.

    Raises
    ------
    SourceRefused
        It has no slices to make thick.
    """
    volume = _grey(scan.volume)
    if choice.thick_mm is not None:
        volume = thick_slices(volume, choice.thick_mm)
    return replace(scan, volume=volume)


def _grey(volume: Volume) -> Volume:
    """`volume` without its colour axis where all channels are alike: nobody would keep the same picture three times."""
    voxels = volume.voxels
    if "c" not in volume.axes or voxels.shape[-1] == 1 or not (voxels == voxels[..., :1]).all():
        return volume
    return Volume(np.ascontiguousarray(voxels[..., 0]), volume.axes[:-1], volume.geometry, volume.rescale)
