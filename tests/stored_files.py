"""The files of a stored dataset."""

from __future__ import annotations

from pathlib import Path


def files(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def blocks_file(dataset: Path, scan_id: str) -> Path:
    return next(path for path in (dataset / "scans" / scan_id).rglob("0") if path.is_file())


def objects(dataset: Path) -> dict[str, bytes]:
    return files(dataset / "scans")
