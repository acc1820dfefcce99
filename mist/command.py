"""The `mist` command: the one place that joins the parts.

The rule: a command parses, calls one part, and prints. Parts are imported when their command runs, so that `mist ls` on
a plain client needs neither the ingest's nor the server's dependencies. Exit code 0 means that all that was asked for
was done; 1 that it was not, with one line why on standard error; 2 that the command line is wrong.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mist.console import complain, note, progress, say, say_json, say_table, size
from mist.errors import MistError
from mist.scan_summary import described, facts, level_facts, listed
from mist_storage.dataset import open_dataset

app = typer.Typer(
    name="mist",
    help="Store one lossless copy of each medical scan; read it at any resolution by fetching only what that needs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DatasetUrl = Annotated[
    str, typer.Argument(metavar="DATASET_URL", help="file://, s3://, https:// or a folder; @N at its end: version N.")
]
ScanId = Annotated[str, typer.Argument(metavar="SCAN_ID", help="As `mist ls` prints it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def ingest(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Files, or folders to search through.")],
    dataset_url: Annotated[str, typer.Argument(metavar="DATASET_URL", help="file://, s3:// or a folder.")],
    labels: Annotated[
        Path | None, typer.Option(help="CSV: column `file` names sources, the others become columns.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all processor cores without it.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything, store nothing.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Let changed sources take the place of their scans.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Store the scans in SOURCE... as a dataset; what is there already is left alone."""
    from mist.ingest.run import ingest as run_ingest
    from mist.ingest_summary import summary, summary_json

    with progress("ingest") as advance:
        report = run_ingest(
            sources,
            dataset_url,
            labels=labels,
            workers=workers,
            dry_run=dry_run,
            replace=replace,
            on_progress=lambda step: advance(step.done, step.total, step.outcome.source),
        )
    if as_json:
        say_json(summary_json(report))
    else:
        summary(report)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def ls(
    dataset_url: DatasetUrl,
    where: Annotated[str | None, typer.Option(metavar="SQL", help="Such as \"modality = 'CT' AND age > 60\".")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many scans.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """List the scans of a dataset."""
    catalog = open_dataset(dataset_url).catalog
    chosen = catalog.where(where) if where else catalog
    rows = [chosen.row(scan_id) for scan_id in chosen.scan_ids[:limit]]
    if as_json:
        say_json([described(row) for row in rows])
        return
    say_table(f"{dataset_url}, version {catalog.version}", [listed(row) for row in rows], right=["stored"])
    if len(rows) < len(chosen):
        note(f"{len(chosen) - len(rows)} more scans; --limit shows them")


@app.command()
def info(dataset_url: DatasetUrl, scan_id: ScanId, as_json: AsJson = False) -> None:
    """Say what is known of a scan, and what each of its levels costs."""
    row = open_dataset(dataset_url).catalog.row(scan_id)
    if as_json:
        say_json(described(row))
        return
    say_table(scan_id, [{"what": name, "value": value} for name, value in facts(row).items()])
    say_table("Levels", [level_facts(row, level) for level in range(len(row.header.levels))], right=["bytes", "of all"])


@app.command()
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
    written = write_scan_file(open_dataset(dataset_url).reader(scan_id), parameters, output)
    shape, share = " x ".join(map(str, written.shape)), f"{size(written.level_bytes)} of {size(written.scan_bytes)}"
    note(f"{output}: level {written.level}, {shape}; the level is {share}")


@app.command()
def verify(dataset_url: DatasetUrl, as_json: AsJson = False) -> None:
    """Check every stored byte of a dataset against its digests, and that every block decodes."""
    from mist_storage.verify import verify_scan

    dataset = open_dataset(dataset_url)
    problems = []
    with progress("verify") as advance:
        for done, scan_id in enumerate(dataset.catalog.scan_ids, start=1):
            problems += verify_scan(dataset.store, dataset.catalog.row(scan_id))
            advance(done, len(dataset.catalog), scan_id)
    found = [{"scan": problem.scan_id, "level": problem.level, "problem": problem.reason} for problem in problems]
    if as_json:
        say_json({"scans": len(dataset.catalog), "problems": found})
    elif found:
        say_table("Problems", found)
    else:
        say(f"{len(dataset.catalog)} scans are whole")
    if found:
        raise typer.Exit(1)


@app.command()
def serve(
    root_url: Annotated[str, typer.Argument(metavar="ROOT_URL", help="Every dataset below it is served.")],
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
) -> None:
    """Serve every dataset below ROOT_URL over HTTP."""
    from mist.server.run import serve as run_server

    run_server(root_url, host, port)


@app.command()
def demo(
    data: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="Your own images, with labels.csv if there is one.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where the demo's files are put; emptied first.")] = Path("demo-data"),
    sizes: Annotated[str | None, typer.Option(help="In-plane sizes to compare, such as 1024,512,256.")] = None,
) -> None:
    """Ingest images, serve them, fetch a scan at three resolutions, train a network from the stream."""
    from mist_eval.demo import run_demo

    run_demo(folder, data, None if sizes is None else [int(side) for side in sizes.split(",")])


def main() -> None:
    """Run the command line; what went wrong is one line on standard error."""
    try:
        app()
    except MistError as error:
        complain(" ".join(str(error).split()))
        sys.exit(1)
    except ModuleNotFoundError as error:
        complain(f"this command needs {error.name}: pip install 'mist-streaming[all]'")
        sys.exit(1)
    except OSError as error:
        complain(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))
        sys.exit(1)


if __name__ == "__main__":
    main()
