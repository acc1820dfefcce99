"""What several commands share: arguments and options, and the announcement of a wait."""

from __future__ import annotations

from typing import Annotated

import typer

from mist.console import note

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

DatasetUrl = Annotated[
    str, typer.Argument(metavar="DATASET_URL", help="file://, s3://, https:// or a folder; @N at its end: version N.")
]
ScanId = Annotated[str, typer.Argument(metavar="SCAN_ID", help="As `mist ls` prints it.")]


def announced_warm_up(*, to_encode: bool) -> None:
    """Compile what this machine has never compiled, and say so, since it takes a while."""
    from mist.warm_up import is_warm, warm_up

    if not is_warm(to_encode=to_encode):
        note("first use on this machine: compiling the block coder, once, in less than a minute")
        warm_up(to_encode=to_encode)
