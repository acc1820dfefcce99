"""`mist ingest`: its options, and what they are joined to.

The rule is that of `mist.command`: parse, call one part, print.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from mist.command_parts import AsJson, announced_warm_up
from mist.console import note, progress, say_json
from mist.errors import InvalidRequest


def ingest(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE", help="Files, or folders to search through.")],
    dataset_url: Annotated[str, typer.Argument(metavar="DATASET_URL", help="file://, s3:// or a folder.")],
    labels: Annotated[
        Path | None, typer.Option(help="CSV: column `file` names sources, the others become columns.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes, all cores without it; 1: unprotected.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="tcp://HOST:PORT", help="Let the workers of this Dask scheduler do the work.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="What the work may take, such as 8G; half of all without it.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything, store nothing.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Let changed sources take the place of their scans.")
    ] = False,
    create_bucket: Annotated[
        bool, typer.Option("--create-bucket", help="Make the bucket of an s3:// dataset where there is none.")
    ] = False,
    deidentify: Annotated[
        str | None,
        typer.Option(
            metavar="PROFILE",
            help="Take out what identifies (DICOM PS3.15 Annex E): basic, and after it any of +modified-dates, "
            "+patient-characteristics, +safe-private.",
        ),
    ] = None,
    deidentify_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The key of pseudonyms; `mist new-key FILE` makes one.")
    ] = None,
    accept_burned_in: Annotated[
        bool, typer.Option("--accept-burned-in", help="Somebody has looked: no pixels show who the patient is.")
    ] = False,
    deidentify_map: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write which file got which name. It identifies: keep it secret."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the signed report of the de-identification.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Store the scans in all SOURCEs as a dataset; what is there already is left alone."""
    from mist import deidentify_command
    from mist.ingest.memory_gate import parse_size
    from mist.ingest.run import ingest as run_ingest
    from mist.ingest_summary import note_published_version, note_stopped, summary, summary_json

    memory_bytes = None if memory is None else parse_size(memory)
    settings = deidentify_command.deidentification_of(deidentify, deidentify_key, accepts_burned_in=accept_burned_in)
    files = {"--deidentify-key": deidentify_key, "--deidentify-map": deidentify_map, "--report": report}
    deidentify_command.require_outside(dataset_url, files, settings)
    deidentify_command.require_writable(report, deidentify_map)
    if create_bucket and not dry_run:
        _make_bucket(dataset_url)
    announced_warm_up(to_encode=True)  # here, so that not every worker does it
    with _ended_tidily(), progress("ingest") as advance:
        done = run_ingest(
            sources,
            dataset_url,
            labels=labels,
            workers=workers,
            scheduler=scheduler,
            memory_bytes=memory_bytes,
            dry_run=dry_run,
            replace=replace,
            deidentification=settings,
            private_map=deidentify_map,
            on_progress=lambda step: advance(step.done, step.total, step.outcome.source),
            on_stopped=note_stopped,
        )
    signed = deidentify_command.reported(done, settings) if settings is not None else None
    if as_json:
        say_json(summary_json(done) | ({} if signed is None else {"deidentification": signed}))
    else:
        summary(done)
        deidentify_command.summary(signed)
    deidentify_command.write_report(signed, report)  # after it was told, which a full disk could prevent
    if done.is_committed:
        note_published_version(dataset_url)
    if not done.ok:
        raise typer.Exit(1)


@contextmanager
def _ended_tidily() -> Iterator[None]:
    """Whoever tells the process to end, as batch systems do, ends it as Ctrl-C does: nothing temporary stays."""
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def _make_bucket(dataset_url: str) -> None:
    from mist_storage.address import Address
    from mist_storage.buckets import ensure_bucket

    address = Address.parse(dataset_url)
    if address.bucket is None:
        raise InvalidRequest(f"{dataset_url} lies in no bucket; leave --create-bucket out")
    if ensure_bucket(address.bucket):
        note(f"made the bucket {address.bucket}")
