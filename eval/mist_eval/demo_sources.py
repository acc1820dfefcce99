"""What the demo ingests: real images that pydicom ships, and generated phantoms; or a user's own folder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pydicom.examples

from mist.errors import InvalidRequest
from mist_eval.phantoms import write_ct_series, write_radiographs

_SHIPPED = ("ct", "mr", "overlay", "palette_color", "rgb_color", "ybr_color", "jpeg2k")
"""Names that `pydicom.examples` knows: CT, MR, MR with an overlay, ultrasound and colour images, one of 30 frames."""


@dataclass(frozen=True, slots=True)
class DemoSource:
    """One dataset to be."""

    name: str
    """Name of the dataset."""
    folder: Path
    """The source files."""
    labels: Path | None = None
    """Their labels."""


def default_sources(folder: Path, phantoms: int) -> list[DemoSource]:
    """Real images, a CT phantom and as many labelled `phantoms`, written to `folder`."""
    real = folder / "real"
    real.mkdir(parents=True, exist_ok=True)
    for name in _SHIPPED:
        shutil.copy(pydicom.examples.get_path(name), real / f"{name}.dcm")
    write_ct_series(folder / "ct_phantom")
    labels = write_radiographs(folder / "phantoms", phantoms)
    return [
        DemoSource("real", real),
        DemoSource("ct_phantom", folder / "ct_phantom"),
        DemoSource("phantoms", folder / "phantoms", labels),
    ]


def own_source(folder: Path) -> DemoSource:
    """A user's folder, with its `labels.csv` if it has one.

    Raises
    ------
    InvalidRequest
        There is no such folder.
    """
    if not folder.is_dir():
        raise InvalidRequest(f"{folder} is no folder of images")
    labels = folder / "labels.csv"
    return DemoSource("data", folder, labels if labels.is_file() else None)
