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
from pathlib import Path
from typing import Annotated

import typer

from mist.bench_command import bench, demo
from mist.command_parts import AsJson, DatasetUrl, announced_warm_up
from mist.console import complain
from mist.errors import MistError
from mist.ingest_command import ingest
from mist.reading_commands import export, get, info, ls
from mist_storage.problem import Depth

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


app.command()(ls)
app.command()(info)
app.command()(get)
app.command()(export)


@app.command()
def verify(
    dataset_url: DatasetUrl,
    depth: Annotated[
        Depth,
        typer.Option(help="Objects are there, have their sizes (both by a listing), fit their digests, or decode."),
    ] = Depth.DECODE,
    as_json: AsJson = False,
) -> None:
    """Check a dataset and its catalog: that every stored byte fits its digest and every block decodes, or less."""
    from mist.administration import verify_dataset

    if depth is Depth.DECODE:
        announced_warm_up(to_encode=False)
    if not verify_dataset(dataset_url, depth, as_json=as_json):
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


app.command()(bench)
app.command()(demo)


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
