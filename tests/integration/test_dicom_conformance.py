"""Every DICOM file at hand is stored exactly, refused with a reason, or no image; and none gets worse.

The numbers are those of `docs/conformance.md`: when one rises, raise it here and write that page anew.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from mist_eval.conformance import Kind, Outcome, conformance, files_in, files_of_pydicom, main, page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"


def outcomes_of(files: dict[str, Path]) -> list[Outcome]:
    return [conformance(name, path) for name, path in files.items()]


def counts(outcomes: list[Outcome]) -> dict[Kind, int]:
    return dict(Counter(outcome.kind for outcome in outcomes))


def assert_each_is_told_in_one_line(outcomes: list[Outcome]) -> None:
    told = [outcome.told for outcome in outcomes if outcome.kind is not Kind.NO_IMAGE]
    assert [line for line in told if not line or "\n" in line or len(line) > 500] == []


def test_the_files_of_pydicom_are_stored_exactly_or_refused() -> None:
    outcomes = outcomes_of(files_of_pydicom())

    assert counts(outcomes) == {Kind.EXACT: 90, Kind.REFUSED: 74, Kind.NO_IMAGE: 12}
    assert_each_is_told_in_one_line(outcomes)


def test_the_files_of_the_zoo_are_stored_exactly_or_refused(shared_data: Path) -> None:
    outcomes = outcomes_of(files_in(shared_data / "dicom_zoo"))

    assert counts(outcomes) == {Kind.EXACT: 111, Kind.REFUSED: 20, Kind.NO_IMAGE: 2}
    assert_each_is_told_in_one_line(outcomes)
    assert set(page(outcomes).splitlines()[-len(outcomes) :]) <= set(PAGE.read_text().splitlines())


def test_the_page_names_no_folder_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "broken.dcm").write_bytes(bytes(128) + b"DICM")

    assert main([str(tmp_path), "-o", str(tmp_path / "page.md")]) == 0

    lines = (tmp_path / "page.md").read_text().splitlines()
    assert any(line.startswith(f"| {tmp_path.name}/broken.dcm |  |  | refused | ") for line in lines)
    assert not any(str(tmp_path) in line or str(Path.home()) in line for line in lines)
