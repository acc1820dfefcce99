"""`mist ls`, `info`, `get` and `export`: their options, and what they are joined to.

The rule is that of `mist.command`: parse, call one part, print.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mist.command_parts import AsJson, DatasetUrl, ScanId, announced_warm_up
from mist.console import note, progress, say, say_facts, say_json, say_table, size


def ls(
    dataset_url: DatasetUrl,
    where: Annotated[str | None, typer.Option(metavar="SQL", help="Such as \"modality = 'CT' AND age > 60\".")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many scans.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """List the scans of a dataset."""
    from mist.scan_summary import listed, to_json
    from mist_storage.dataset import open_dataset

    catalog = open_dataset(dataset_url).catalog
    chosen = catalog if where is None else catalog.where(where)
    rows = [chosen.row(scan_id) for scan_id in chosen.scan_ids[:limit]]
    if as_json:
        say_json([to_json(row) for row in rows])
        return
    say_table(f"{dataset_url}, version {catalog.version}", listed(rows), right=["levels", "stored"])
    if len(rows) < len(chosen):
        note(f"{len(chosen) - len(rows)} more scans; --limit shows them")


def info(dataset_url: DatasetUrl, scan_id: ScanId, as_json: AsJson = False) -> None:
    """Say what is known of a scan, and what each of its levels costs."""
    from mist.scan_summary import facts, level_facts, to_json
    from mist_storage.dataset import open_dataset

    catalog = open_dataset(dataset_url).catalog
    row = catalog.row(scan_id)
    if as_json:
        say_json(to_json(row))
        return
    say_facts(f"{dataset_url}, version {catalog.version}", facts(row))
    say()
    say_table("Levels", [level_facts(row, level) for level in range(len(row.header.levels))], right=["bytes", "of all"])


def get(
    dataset_url: DatasetUrl,
    scan_id: ScanId,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="What to write; `-` is standard output.")
    ],
    level: Annotated[int | None, typer.Option(help="0 is full resolution, each further level one halving.")] = None,
    size_: Annotated[
        str | None, typer.Option("--size", metavar="N|HxW", help="Pixels of the shorter in-plane side.")
    ] = None,
    spacing: Annotated[float | None, typer.Option(metavar="MM", help="Spacing along every axis.")] = None,
    max_bytes: Annotated[int | None, typer.Option(metavar="N", help="The finest level of at most N bytes.")] = None,
    region: Annotated[
        str | None, typer.Option(help="start:stop for each axis in voxels of level 0, such as 0:9,:,64:128.")
    ] = None,
    slice_: Annotated[
        int | None, typer.Option("--slice", help="One slice, counted at the resolution delivered.")
    ] = None,
    frame: Annotated[int | None, typer.Option(help="One frame.")] = None,
    window: Annotated[str | None, typer.Option(metavar="CENTER,WIDTH|none", help="What a picture shows.")] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="png, jpeg, webp, npy or nii.gz; FILE's ending decides.")
    ] = None,
) -> None:
    """Write a scan, or a part of it, at any resolution."""
    from mist.delivery.file import write_scan_file
    from mist_storage.dataset import open_dataset

    asked = {
        "level": level,
        "size": size_,
        "spacing": spacing,
        "max_bytes": max_bytes,
        "region": region,
        "slice": slice_,
        "frame": frame,
        "window": window,
        "format": format_,
    }
    parameters = {name: str(value) for name, value in asked.items() if value is not None}
    announced_warm_up(to_encode=False)
    written = write_scan_file(open_dataset(dataset_url).reader(scan_id), parameters, output)
    shape, share = " x ".join(map(str, written.shape)), f"{size(written.level_bytes)} of {size(written.scan_bytes)}"
    note(f"{output}: level {written.level}, {shape}; the level is {share}")


def export(
    dataset_url: DatasetUrl,
    scan_ids: Annotated[
        list[str] | None, typer.Argument(metavar="SCAN_ID...", help="As `mist ls` prints them; all scans without.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Each scan gets a folder of its own in it.")
    ] = ...,  # type: ignore[assignment] # Typer's mark of an option that must be given
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give the source files back: byte for byte, or with the same content where they were compressed."""
    from mist.delivery.source_files import give_back
    from mist.export_summary import summary, summary_json
    from mist_storage.dataset import open_dataset

    with progress("export") as advance:
        given = give_back(open_dataset(dataset_url), scan_ids or (), output, overwrite=overwrite, on_progress=advance)
    if as_json:
        say_json(summary_json(given))
    else:
        summary(given)
    if given.problems:
        raise typer.Exit(1)
