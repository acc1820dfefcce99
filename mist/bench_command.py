"""`mist bench` and `mist demo`: their options, and what they are joined to.

The rule is that of `mist.command`: parse, call one part, print.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mist.command_parts import AsJson
from mist.errors import InvalidRequest


class Measured(StrEnum):
    """What `mist bench` measures."""

    BYTES = "bytes"
    """Sizes at each resolution."""
    CODEC = "codec"
    """Times of decoding and encoding."""
    WAVELETS = "wavelets"
    """Sizes and fidelity of each resolution by 13/7, 5/3 and (4,2)."""


def bench(
    what: Annotated[
        Measured,
        typer.Argument(help="Sizes at each resolution, times of decoding and encoding, or sizes by other wavelets."),
    ],
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCE...", help="A folder is a set of scans; so are files of one folder, one by one."),
    ],
    split: Annotated[
        str, typer.Option(metavar="A,B", help="Only these splits of a folder with labels.csv; empty: all of them.")
    ] = "test,val",
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Only every N-th scan of a folder.")] = 1,
    modality: Annotated[
        str, typer.Option(metavar="CT,MR", help="Only scans of these DICOM modalities; empty: all images.")
    ] = "",
    unlike: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="Leave out images that are equal to one in this file or folder; repeatable."),
    ] = None,
    thick: Annotated[
        float | None,
        typer.Option(metavar="MM", help="Measure volumes with slices this thick: means of adjacent slices, rounded."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="PNG", help="bytes: draw bytes against resolution.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure MIST beside HTJ2K, JPEG 2000, JPEG-LS, JPEG XL, PNG, an OME-Zarr style pyramid and nii.gz."""
    from mist_eval.bench_report import bench_bytes, bench_codec, bench_wavelets
    from mist_eval.bench_set import Choice, bench_sets

    if plot is not None and what is not Measured.BYTES:
        raise InvalidRequest(f"--plot draws what `mist bench bytes` measures; leave it out of `mist bench {what}`")
    choice = Choice(_listed(split), every, _listed(modality), tuple(unlike or ()), thick)
    sets = bench_sets(sources, choice)
    if what is Measured.BYTES:
        bench_bytes(sets, plot, as_json=as_json)
    elif what is Measured.CODEC:
        bench_codec(sets, as_json=as_json)
    else:
        bench_wavelets(sets, as_json=as_json)


def demo(
    data: Annotated[
        Path | None, typer.Argument(metavar="DATA", help="Your own images, with labels.csv if there is one.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where the demo's files are put; emptied first.")] = Path("demo-data"),
    sizes: Annotated[
        str | None, typer.Option(metavar="N,N,...", help="In-plane sizes to compare, such as 1024,512,256.")
    ] = None,
    phantoms: Annotated[int, typer.Option(min=12, help="How many labelled phantoms to generate.")] = 240,
) -> None:
    """Ingest images, serve them, fetch a scan at three resolutions, train a network from the stream."""
    from mist.delivery.parameter import whole_number
    from mist_eval.demo import run_demo

    sides = None if sizes is None else [whole_number("a size", side.strip()) for side in sizes.split(",")]
    run_demo(folder, data, sizes=sides, phantoms=phantoms)


def _listed(names: str) -> tuple[str, ...]:
    """The names between the commas of an option."""
    return tuple(name.strip() for name in names.split(",") if name.strip())
