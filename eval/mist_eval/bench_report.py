"""The tables and the plot of `mist bench`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mist.console import note, say_json, say_table
from mist.errors import InvalidRequest
from mist.volume import Volume
from mist_eval.bench_bytes import MIST, ScanSizes, scan_sizes
from mist_eval.bench_codec import CodecSpeed, codec_speed
from mist_eval.bench_set import BenchSet
from mist_eval.bench_wavelets import COMPARED, WaveletLevel, wavelet_levels
from mist_eval.paired_timing import PairedTime
from mist_eval.rivals import HTJ2K, MOST_BITS
from mist_eval.volumes import NamedVolume

Row = dict[str, object]

Measure = TypeVar("Measure")


def bench_bytes(sets: Sequence[BenchSet], plot: Path | None, *, as_json: bool) -> None:
    """Print what each set takes at each resolution, beside its rivals."""
    curves = [(one.name, [sizes for _, sizes in _measured(one.scans(), scan_sizes)]) for one in sets]
    tables = [(name, _byte_rows(name, sizes)) for name, sizes in curves]
    _say("Bytes, as multiples of HTJ2K's", tables, as_json=as_json)
    if plot is not None:
        _plot([(name, sizes) for name, sizes in curves if sizes], plot)


def bench_wavelets(sets: Sequence[BenchSet], *, as_json: bool) -> None:
    """Print what each set would take by other wavelets, and how true its levels would then be."""
    levels = [(one.name, [wavelet_levels(scan.volume) for scan in one.scans()]) for one in sets]
    tables = [(name, _wavelet_rows(name, scans)) for name, scans in levels]
    _say(f"Bytes, as multiples of those by {COMPARED[0].name}, and PSNR (dB)", tables, as_json=as_json)


def bench_codec(sets: Sequence[BenchSet], *, as_json: bool) -> None:
    """Print how fast the largest scan of each set is decoded and encoded, beside its rivals."""
    tables = [(one.name, [_speed_row(one.name, speed) for speed in _speeds(one)]) for one in sets]
    _say("Time of MIST, one thread, as a multiple", tables, as_json=as_json)


def _say(title: str, tables: Sequence[tuple[str, list[Row]]], *, as_json: bool) -> None:
    """Print the rows of all sets as one table, and note the sets that have none."""
    for name, rows in tables:
        if not rows:
            note(f"{name}: nothing to compare")
    together = [row for _, rows in tables for row in rows]
    if not together:
        raise InvalidRequest("there is nothing to compare in these sources")
    if as_json:
        say_json([{name: asdict(v) if isinstance(v, PairedTime) else v for name, v in row.items()} for row in together])
    else:
        say_table(title, [{name: _shown(name, value) for name, value in row.items()} for row in together])


def _shown(name: str, value: object) -> object:
    """A value as a table has it: ratios to three places, the rest to as many as mean something."""
    if not isinstance(value, float):
        return value
    if name.startswith("PSNR gain"):
        return f"{value:+.1f}"
    return f"{value:.2f}" if name.endswith("dB") else f"{value:.0f}" if name.endswith("/s") else f"{value:.3f}"


def _measured(
    scans: Iterable[NamedVolume], measure: Callable[[Volume], Measure | None]
) -> Iterator[tuple[NamedVolume, Measure]]:
    """The scans that can be compared, each with what `measure` says of it."""
    for scan in scans:
        found = measure(scan.volume)
        if found is None:
            note(f"left out: {scan.name}: its samples span more than the {MOST_BITS} bits that the rivals can take")
        else:
            yield scan, found


def _speeds(one: BenchSet) -> Iterator[CodecSpeed]:
    """The times of the largest scan of a set that the rivals can take, if there is one."""
    largest_first = sorted(one.scans(), key=lambda scan: scan.volume.voxels.size, reverse=True)
    for scan, speed in islice(_measured(largest_first, codec_speed), 1):
        note(f"{scan.name}: {scan.volume.voxels.shape}")
        yield speed


def _wavelet_rows(source: str, scans: Sequence[dict[int, WaveletLevel]]) -> list[Row]:
    """A row for each resolution, with the totals of the scans that have it."""
    reductions = sorted({reduction for scan in scans for reduction in scan})
    return [_wavelet_row(source, r, [scan[r] for scan in scans if r in scan]) for r in reductions]


def _wavelet_row(source: str, reduction: int, levels: Sequence[WaveletLevel]) -> Row:
    names = [wavelet.name for wavelet in COMPARED]
    sizes = {name: sum(level.size[name] for level in levels) for name in names}
    means = {name: _finite_mean([level.psnr[name] for level in levels if level.psnr]) for name in names}
    return {
        "source": source,
        "at": _resolution(reduction),
        "scans": len(levels),
        **{f"{name} bytes": size for name, size in sizes.items()},
        **{name: sizes[name] / sizes[names[0]] for name in names[1:]},
        **{f"{name} dB": mean for name, mean in means.items()},
    }


def _finite_mean(values: Sequence[float]) -> float | None:
    """The mean of those `values` that are finite; None where none is."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else None


def _resolution(reduction: int) -> str:
    return f"1/{2**reduction}"


def _speed_row(source: str, speed: CodecSpeed) -> Row:
    return {
        "source": source,
        "decode / OpenJPH": speed.decode,
        "decode / OpenJPEG": speed.decode_openjpeg,
        "1/4 / full": speed.quarter,
        "encode / OpenJPH": speed.encode,
        "decode Mvoxel/s": speed.voxels / 1e6 / speed.decode.a_seconds,
        "encode Mvoxel/s": speed.voxels / 1e6 / speed.encode.a_seconds,
    }


def _byte_rows(source: str, sizes: Sequence[ScanSizes]) -> list[Row]:
    """A row for full resolution, then one for each reduction; none where there are no scans."""
    if not sizes:
        return []
    full = _byte_row(source, sizes, 0)
    rivals = [name for name in sizes[0].full if name not in (MIST, HTJ2K.name)]
    htj2k = sum(size.full[HTJ2K.name] for size in sizes)
    full |= {name: sum(size.full[name] for size in sizes) / htj2k for name in rivals}
    reductions = sorted({reduction for size in sizes for reduction in size.htj2k_levels} - {0})
    rows = [full, *(_byte_row(source, sizes, reduction) for reduction in reductions)]
    return [{name: row.get(name) for name in full} for row in rows if row["scans"]]


def _byte_row(source: str, sizes: Sequence[ScanSizes], reduction: int) -> Row:
    both = [size for size in sizes if reduction in size.mist_levels and reduction in size.htj2k_levels]
    pairs = [(size.mist_levels[reduction], size.htj2k_levels[reduction]) for size in both]
    ratios = np.array([ours / theirs for ours, theirs in pairs])
    gain = _finite_mean([size.psnr_gain[reduction] for size in both if reduction in size.psnr_gain])
    return {
        "source": source,
        "at": _resolution(reduction),
        "scans": len(both),
        "MIST bytes": sum(ours for ours, _ in pairs),
        "MIST": sum(ours for ours, _ in pairs) / max(1, sum(theirs for _, theirs in pairs)),
        "geomean": float(np.exp(np.log(ratios).mean())) if len(ratios) else None,
        "PSNR gain (dB)": gain,
    }


def _plot(curves: Sequence[tuple[str, list[ScanSizes]]], path: Path) -> None:
    """Bytes against resolution, as shares of HTJ2K's full size; one colour a source, MIST solid, HTJ2K dashed."""
    mpl.use("Agg")
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(xlabel="in-plane reduction", ylabel="bytes / bytes of HTJ2K in full", yscale="log")
    for number, (source, sizes) in enumerate(curves):
        whole = sum(size.full[HTJ2K.name] for size in sizes)
        for label, style, levels in (
            (source, "-", _totals(s.mist_levels for s in sizes)),
            ("", "--", _totals(s.htj2k_levels for s in sizes)),
        ):
            places = [_resolution(reduction) for reduction in levels]
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
