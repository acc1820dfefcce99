"""What MIST makes of DICOM files, one by one, as a page of Markdown.

    python -m mist_eval.conformance ../shared/data/dicom_zoo -o docs/conformance.md

The rule: each file is stored exactly, which means that two decoders agree on every voxel and that the stored form gives
them back; or refused with a reason; or plainly no image. Without folders, and beside them, pydicom's own test files are
taken. What is written depends on the files and the versions of the decoders, and on nothing else.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pydicom.data
from pydicom import dcmread
from pydicom.uid import UID

from mist.errors import SourceRefused
from mist.ingest.discover import discover
from mist.ingest.load import load_scan
from mist.ingest.source import ScanTask
from mist.samples import from_integers, to_integers
from mist_eval.dicom_witnesses import hear

_INTRODUCTION = """# DICOM conformance

What MIST makes of DICOM files that were gathered because each is odd in its own way: the shared zoo (`zoo/`) and
pydicom's own test files (`pydicom/`). This page is written by

    python -m mist_eval.conformance ../shared/data/dicom_zoo -o docs/conformance.md

- **exact**: stored; two decoders agree on every voxel, and what is stored gives them back bit for bit. They are named,
  with those that do not agree. GDCM reads the whole file by itself, NumPy the bytes of pixels that are not compressed;
  the others are given frames. Several descend from one library: those of JPEG 2000 from OpenJPEG, those of JPEG-LS from
  CharLS, Pillow's and GDCM's JPEG from the IJG's.
- **unconfirmed**: stored, and no second decoder agrees.
- **refused**: not stored, for the reason given.
- **no image**: passed over without a word: a DICOMDIR, which only lists other files, or a text.

## What is stored, and how

| in the file | in the scan |
| --- | --- |
| stored values | themselves, signed where the object says so; bits that are not stored (old overlays) are cut off |
| Rescale Slope and Intercept, Dose Grid Scaling | the rescale of the scan; voxels stay stored values |
| rescales that differ by slice or frame (PET) | true values in float32, which prove to lead back to stored ones |
| a rescale in only some slices or frames | refused |
| Modality LUT | true values; refused where two stored values of the image have the same one |
| PALETTE COLOR | colours (8 bits where the palette holds no more); of a segmentation, the labels |
| SEG of a series that is there too | that scan's mask, by Segment Number; alone where it misfits or overlaps |
| several segments of a SEG that is alone | refused: one volume cannot tell them apart |
| YBR_FULL, YBR_FULL_422 | RGB, by PS3.3 C.7.6.3.1.2; YBR_RCT and YBR_ICT are undone by the JPEG 2000 decoder |
| HSV, ARGB, CMYK, YBR_PARTIAL_422 and _420; values in other than the low bits (High Bit) | refused |
| MONOCHROME1 | stored values, and that they are shown inverted |
| padding values | voxels like any other |
| whatever identifies, with `--deidentify` | gone beforehand: see [de-identification](deidentification.md) |
| overlays, VOI LUTs | not in the voxels; the first window becomes the scan's |
| frames with even positions | slices in the order of their positions; refused where slices are missing or askew |
| several frames in each place | volumes one after the other, by Dimension Index Values or Temporal Position Index |
| frames without positions, or all in one place | moments in time |
| frames of a SPECT volume (NM, RECON TOMO) | slices, by the detector's position and Spacing Between Slices |
| mosaics; compressed streams of other components, bits or colours than the header says | refused |
| lossy JPEG whose values exceed Bits Stored by one | as decoded (GDCM would cut 1024 of 10 bits to 0) |
"""


class Kind(StrEnum):
    """What became of a file."""

    EXACT = "exact"
    UNCONFIRMED = "unconfirmed"
    REFUSED = "refused"
    NO_IMAGE = "no image"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file."""

    name: str
    """Which file: its set, then its path there."""
    kind: Kind
    """What became of it."""
    told: str
    """Who confirms it, or why it was refused."""
    syntax: str
    """Transfer syntax by name; empty where the file names none."""
    photometric: str
    """Photometric Interpretation; empty where the file names none."""


def conformance(name: str, path: Path) -> Outcome:
    """What becomes of the file at `path`, which is called `name` in the table."""
    kind, told = _outcome(path)
    syntax, photometric = _encoding(path)
    return Outcome(name, kind, told, syntax, photometric)


def _outcome(path: Path) -> tuple[Kind, str]:
    found = discover([path])
    try:
        told = [_stored(task) for task in found.tasks]
    except SourceRefused as error:
        return Kind.REFUSED, _without_name(str(error), path)
    if told:
        return told[0]
    reasons = "; ".join(refusal.reason for refusal in found.refusals)
    return (Kind.REFUSED, _without_name(reasons, path)) if reasons else (Kind.NO_IMAGE, "")


def _stored(task: ScanTask) -> tuple[Kind, str]:
    """How sure it is that the voxels of a scan are those of its file."""
    volume = load_scan(task).decoded.volume
    integers, samples = to_integers(volume.voxels)
    if from_integers(integers, samples).tobytes() != np.ascontiguousarray(volume.voxels).tobytes():
        return Kind.UNCONFIRMED, "what would be stored does not give the voxels back"
    hearing = hear(task.paths[0], volume)
    differing = [f"{opinion.witness} differs by up to {opinion.difference:g}" for opinion in hearing.differing]
    kind = Kind.EXACT if hearing.is_confirmed else Kind.UNCONFIRMED
    return kind, "; ".join([", ".join(hearing.agreeing), *differing])


def _without_name(reason: str, path: Path) -> str:
    return reason.removeprefix(f"{path.name}: ")


def _encoding(path: Path) -> tuple[str, str]:
    """Transfer syntax and photometric interpretation that the file names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = dcmread(path, force=True, stop_before_pixels=True)
            named = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID", "")
            return UID(named).name if named else "", str(dataset.get("PhotometricInterpretation", ""))
        except Exception:  # noqa: BLE001 - a text, or a file that is broken on purpose
            return "", ""


def files_of_pydicom() -> dict[str, Path]:
    """The test files that pydicom installs, by their name in the table."""
    folder = Path(pydicom.data.__file__).parent / "test_files"
    return _named("pydicom", folder, (path for path in folder.rglob("*") if path.is_file()))


def files_in(folder: Path) -> dict[str, Path]:
    """The DICOM files of the zoo, or of another folder, by their name in the table."""
    name = "zoo" if folder.name == "dicom_zoo" else folder.name
    return _named(name, folder, folder.rglob("*.dcm"))


def _named(name: str, folder: Path, paths: Iterable[Path]) -> dict[str, Path]:
    return {f"{name}/{path.relative_to(folder).as_posix()}": path for path in sorted(paths)}


def page(outcomes: Sequence[Outcome]) -> str:
    """The page that says what became of each file, and the totals."""
    return "\n".join(
        [
            _INTRODUCTION,
            "## Totals\n",
            _totals("set", outcomes, lambda outcome: outcome.name.partition("/")[0]),
            _totals("transfer syntax", outcomes, lambda outcome: outcome.syntax or "(none named)"),
            _totals("photometric interpretation", outcomes, lambda outcome: outcome.photometric or "(none)"),
            "## File by file\n",
            "| file | transfer syntax | photometric | outcome | decoders that agree, or the reason |",
            "| --- | --- | --- | --- | --- |",
            *(_row(o.name, o.syntax, o.photometric, o.kind.value, o.told) for o in outcomes),
            "",
        ]
    )


def _totals(title: str, outcomes: Sequence[Outcome], key: Callable[[Outcome], str]) -> str:
    counts = Counter((key(outcome), outcome.kind) for outcome in outcomes)
    names = sorted({name for name, _ in counts})
    rows = [_row(name, *(str(counts[name, kind]) for kind in Kind)) for name in names]
    total = _row("**all**", *(str(sum(outcome.kind is kind for outcome in outcomes)) for kind in Kind))
    return "\n".join([_row(title, *Kind), _row(*["---"] * (len(Kind) + 1)), *rows, total, ""])


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status comes back: 0 where no file is unconfirmed."""
    parser = argparse.ArgumentParser(description="what MIST makes of DICOM files, as a page of Markdown")
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER", help="of DICOM files, beside pydicom's own")
    parser.add_argument("-o", "--output", type=Path, help="where to write the page; printed without it")
    options = parser.parse_args(arguments)
    files = {name: path for folder in options.folders for name, path in files_in(folder).items()} | files_of_pydicom()
    outcomes = [conformance(name, path) for name, path in files.items()]
    if options.output is None:
        sys.stdout.write(page(outcomes))
    else:
        options.output.write_text(page(outcomes))
    return int(any(outcome.kind is Kind.UNCONFIRMED for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
