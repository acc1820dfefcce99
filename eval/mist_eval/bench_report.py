"""The tables and the plot of `mist bench`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mist.console import note, say_json, say_table
from mist.errors import InvalidRequest
from mist_eval.bench_bytes import MIST, ScanSizes, scan_sizes
from mist_eval.bench_codec import CodecSpeed, codec_speed
from mist_eval.rivals import HTJ2K
from mist_eval.volumes import NamedVolume, volumes_in

Row = dict[str, object]


def bench_bytes(
    sources: Sequence[Path], splits: tuple[str, ...], every: int, plot: Path | None, *, as_json: bool
) -> None:
    """Print what each source takes at each resolution, beside its rivals; a source is one set of scans."""
    rows: list[Row] = []
    curves: dict[str, list[ScanSizes]] = {}
    for source in sources:
        found = volumes_in(source, splits=splits or None, every=every)
        sizes = [size for named in found if not named.is_mask and (size := scan_sizes(named)) is not None]
        if not sizes:
            note(f"{source}: nothing to compare")
            continue
        curves[source.name] = sizes
        rows += _byte_rows(source.name, sizes)
    if not rows:
        raise InvalidRequest("there is nothing to compare in these sources")
    if as_json:
        say_json(rows)
    else:
        say_table("Bytes, as multiples of HTJ2K's", rows)
    if plot is not None:
        _plot(curves, plot)


def bench_codec(sources: Sequence[Path], splits: tuple[str, ...], every: int, *, as_json: bool) -> None:
    """Print how fast the largest scan of each source is decoded and encoded, beside its rivals."""
    rows: list[Row] = []
    for source in sources:
        scans = [named for named in volumes_in(source, splits=splits or None, every=every) if not named.is_mask]
        if scans and (speed := _speed(max(scans, key=lambda named: named.volume.voxels.size))) is not None:
            rows.append(_speed_row(source.name, speed))
    if not rows:
        raise InvalidRequest("there is nothing to measure in these sources")
    if as_json:
        say_json(rows)
    else:
        say_table("Time of MIST, one thread, as a multiple", rows)


def _speed(named: NamedVolume) -> CodecSpeed | None:
    note(f"{named.name}: {named.volume.voxels.shape}")
    return codec_speed(named.name, named.volume)


def _speed_row(source: str, speed: CodecSpeed) -> Row:
    return {
        "source": source,
        "decode / OpenJPH": str(speed.decode),
        "decode / OpenJPEG": str(speed.decode_openjpeg),
        "1/4 / full": "" if speed.quarter is None else str(speed.quarter),
        "encode / OpenJPH": str(speed.encode),
        "decode Mvoxel/s": f"{speed.voxels / 1e6 / speed.decode.a_seconds:.0f}",
        "encode Mvoxel/s": f"{speed.voxels / 1e6 / speed.encode.a_seconds:.0f}",
    }


def _byte_rows(source: str, sizes: Sequence[ScanSizes]) -> list[Row]:
    """A row for full resolution, then one for each reduction."""
    full = _byte_row(source, sizes, 0)
    rivals = [name for name in sizes[0].full if name not in (MIST, HTJ2K.name)]
    htj2k = sum(size.full[HTJ2K.name] for size in sizes)
    full |= {name: f"{sum(size.full[name] for size in sizes) / htj2k:.3f}" for name in rivals}
    reductions = sorted({reduction for size in sizes for reduction in size.htj2k_levels} - {0})
    rows = [full, *(_byte_row(source, sizes, reduction) for reduction in reductions)]
    return [{name: row.get(name, "") for name in full} for row in rows if row["scans"]]


def _byte_row(source: str, sizes: Sequence[ScanSizes], reduction: int) -> Row:
    both = [size for size in sizes if reduction in size.mist_levels and reduction in size.htj2k_levels]
    pairs = [(size.mist_levels[reduction], size.htj2k_levels[reduction]) for size in both]
    ratios = np.array([ours / theirs for ours, theirs in pairs])
    gains = [size.psnr_gain[reduction] for size in both if np.isfinite(size.psnr_gain.get(reduction, np.nan))]
    return {
        "source": source,
        "at": f"1/{2**reduction}",
        "scans": len(both),
        "MIST bytes": sum(ours for ours, _ in pairs),
        "MIST": f"{sum(ours for ours, _ in pairs) / max(1, sum(theirs for _, theirs in pairs)):.3f}",
        "geomean": f"{np.exp(np.log(ratios).mean()):.3f}" if len(ratios) else "",
        "PSNR gain (dB)": f"{np.mean(gains):+.1f}" if gains else "",
    }


def _plot(curves: dict[str, list[ScanSizes]], path: Path) -> None:
    """Bytes against resolution, as shares of HTJ2K's full size; one colour a source, MIST solid, HTJ2K dashed."""
    mpl.use("Agg")
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(xlabel="in-plane reduction", ylabel="bytes / bytes of HTJ2K in full", yscale="log")
    for number, (source, sizes) in enumerate(curves.items()):
        whole = sum(size.full[HTJ2K.name] for size in sizes)
        for label, style, levels in (
            (source, "-", _totals(s.mist_levels for s in sizes)),
            ("", "--", _totals(s.htj2k_levels for s in sizes)),
        ):
            places = [f"1/{2**reduction}" for reduction in levels]
            axes.plot(
                places,
                [total / whole for total in levels.values()],
                style,
                color=f"C{number}",
                marker=".",
                label=label or None,
            )
    axes.set_title("MIST (solid) and HTJ2K (dashed)")
    axes.legend()
    axes.grid(visible=True, alpha=0.3)
    figure.savefig(path, dpi=120)


def _totals(levels: Iterable[dict[int, int]]) -> dict[int, int]:
    """Bytes of all scans at each reduction that all of them have, finest first."""
    scans = list(levels)
    common = set.intersection(*(set(scan) for scan in scans))
    return {reduction: sum(scan[reduction] for scan in scans) for reduction in sorted(common)}
