"""What an export gave back, as a table and as JSON."""

from __future__ import annotations

from collections import Counter

from mist.console import say, say_table, size
from mist.delivery.source_files import GivenBack
from mist.kept_wrapping import Wrapping

_MEANING = {
    Wrapping.NONE: "byte for byte",
    Wrapping.GZIP: "same content, compressed anew by gzip",
    Wrapping.PNG: "same chunks and pixels, compressed anew",
    Wrapping.DEFLATED_DICOM: "same header and pixels, deflated anew",
    Wrapping.DECAPSULATED_DICOM: "same header and pixels, now uncompressed",
}
"""How a file that was given back is like the one that was ingested."""


def summary(given: GivenBack) -> None:
    """Print how many files were given back in which way, and each scan that was not, with its reason."""
    counts = Counter(file.wrapping for file in given.files)
    rows = [{"given back": meaning, "files": counts[kind]} for kind, meaning in _MEANING.items() if counts[kind]]
    say_table("Export", rows, right=["files"])
    if rows:
        say(f"{len(given.files)} files, {size(sum(file.bytes for file in given.files))}")
    if given.problems:
        say()
        problems = [{"scan": problem.scan_id, "reason": problem.reason} for problem in given.problems]
        say_table("Not given back", problems, folded="reason")


def summary_json(given: GivenBack) -> dict[str, object]:
    """The same, with every file."""
    return {
        "files": [
            {
                "scan_id": file.scan_id,
                "path": str(file.path),
                "bytes": file.bytes,
                "byte_for_byte": file.wrapping is Wrapping.NONE,
                "wrapping": file.wrapping.value,
            }
            for file in given.files
        ],
        "problems": [{"scan_id": problem.scan_id, "reason": problem.reason} for problem in given.problems],
    }
