"""The `mist` command: the one place that joins the parts.

The rule: a command parses, calls one part, and prints. Parts are imported when their command runs, so that `mist ls` on
a plain client needs neither the ingest's nor the server's dependencies, and `mist --help` none. Exit code 0 means that
all that was asked for was done; 1 that it was not, with one line why on standard error; 2 that the command line is
wrong; 130 that it was interrupted.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mist.command_parts import AsJson, announced_warm_up
from mist.console import complain, note, progress, say, say_facts, say_json, say_table, size
from mist.errors import InvalidRequest, MistError
from mist.ingest_command import ingest

INTERRUPTED = 130
"""Exit code after Ctrl-C, by custom 128 and the number of the signal; Typer's too."""

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


app.command()(ingest)


@app.command()
def new_key(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it; what is there is not overwritten.")],
) -> None:
    """Make a key for `mist ingest --deidentify`, in a file that only you can read."""
    from mist.deidentify_command import new_key as make

    make(path)


@app.command()
def check_report(
    path: Annotated[Path, typer.Argument(metavar="REPORT", help="What `mist ingest --report` wrote.")],
    deidentify_key: Annotated[Path, typer.Option(metavar="FILE", help="The key that signed it.")],
) -> None:
    """Check that the report of a de-identification is the one that was signed, and say what it says."""
    from mist.deidentify_command import check

    check(path, deidentify_key)


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def verify(dataset_url: DatasetUrl, as_json: AsJson = False) -> None:
    """Check every stored byte of a dataset and its catalog against its digests, and that every block decodes."""
    from mist_storage.catalog_check import catalog_problems
    from mist_storage.dataset import open_dataset, open_store
    from mist_storage.verify import verify_scans

    dataset = open_dataset(dataset_url)
    announced_warm_up(to_encode=False)
    catalog, problems = [*catalog_problems(open_store(dataset.url))], []
    with progress("verify") as advance:
        for done, (scan_id, bad) in enumerate(verify_scans(dataset.store, dataset.catalog), start=1):
            problems += bad
            advance(done, len(dataset.catalog), scan_id)
    found: list[dict[str, object]] = [{"scan": None, "level": None, "problem": problem} for problem in catalog]
    found += [{"scan": problem.scan_id, "level": problem.level, "problem": problem.reason} for problem in problems]
    if as_json:
        say_json({"scans": len(dataset.catalog), "problems": found})
    elif found:
        say_table("Problems", found, folded="problem")
    else:
        say(f"all {len(dataset.catalog)} scans are whole")
    if found:
        raise typer.Exit(1)


@app.command()
def gc(
    dataset_url: Annotated[str, typer.Argument(metavar="DATASET_URL", help="file://, s3:// or a folder.")],
    grace: Annotated[
        str, typer.Option(metavar="AGE", help="Leave alone what is younger, such as 90m, 24h or 7d: a running ingest.")
    ] = "24h",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, remove nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove objects that no version of a dataset names: what interrupted ingests have left."""
    from mist.administration import administered, age, collect_garbage

    store, limit = administered(dataset_url), age(grace)
    collect_garbage(store, limit, dry_run=dry_run, as_json=as_json)


@app.command()
def rm(
    dataset_url: Annotated[str, typer.Argument(metavar="DATASET_URL", help="file://, s3:// or a folder.")],
    scan_ids: Annotated[list[str], typer.Argument(metavar="SCAN_ID...", help="As `mist ls` prints them.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the record, so name no patient.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be withdrawn, change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Withdraw scans: their objects, rows and labels leave every version, for good; a record stays."""
    from mist.administration import administered, withdraw_scans

    done = withdraw_scans(administered(dataset_url), scan_ids, reason, yes=yes, dry_run=dry_run, as_json=as_json)
    if not done:
        raise typer.Exit(1)


@app.command()
def publish(
    dataset_url: Annotated[str, typer.Argument(metavar="DATASET_URL", help="file://, s3:// or a folder.")],
    with_sources: Annotated[
        bool, typer.Option("--with-sources", help="Let anybody `mist export` too: headers, names in them included.")
    ] = False,
    unpublish: Annotated[bool, typer.Option("--unpublish", help="Close it again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be set, change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let anybody stream the newest version with no server: catalog.parquet, and the bucket's policy and CORS."""
    from mist.administration import administered
    from mist.publishing import publish_dataset, unpublish_dataset

    store = administered(dataset_url)
    if unpublish:
        done = unpublish_dataset(store, dry_run=dry_run, as_json=as_json)
    else:
        done = publish_dataset(store, with_sources=with_sources, yes=yes, dry_run=dry_run, as_json=as_json)
    if not done:
        raise typer.Exit(1)


@app.command()
def log(dataset_url: DatasetUrl, as_json: AsJson = False) -> None:
    """Say what became of a dataset: its versions, what each changed, and the withdrawals."""
    from mist.administration import say_history

    say_history(dataset_url, as_json=as_json)


@app.command()
def serve(
    root_url: Annotated[str, typer.Argument(metavar="ROOT_URL", help="Every dataset below it is served.")],
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
) -> None:
    """Serve every dataset below ROOT_URL over HTTP."""
    from mist.server.run import serve as run_server

    announced_warm_up(to_encode=False)
    run_server(root_url, host, port)


class Measured(StrEnum):
    """What `mist bench` measures."""

    BYTES = "bytes"
    """Sizes at each resolution."""
    CODEC = "codec"
    """Times of decoding and encoding."""
    WAVELETS = "wavelets"
    """Sizes and fidelity of each resolution by 13/7, 5/3 and (4,2)."""


@app.command()
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


@app.command()
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line, the process's own unless `arguments` are given, and exit; what went wrong is one line."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no failure
    try:
        app(arguments, prog_name="mist")
    except (MistError, ImportError, MemoryError, OSError) as error:
        complain(_reason(error))
        sys.exit(1)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            complain("interrupted; what was not finished is not to be seen, and can be done again")
        raise


def _reason(error: Exception) -> str:
    """What went wrong, and what to do about it where that is known."""
    if isinstance(error, MistError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return f"this command needs {error.name}: pip install 'mist-streaming[all]'"
    if isinstance(error, MemoryError):
        return f"there is not enough memory; ask for a coarser level, a smaller size or a region ({error})"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or repr(error)


if __name__ == "__main__":
    main()
