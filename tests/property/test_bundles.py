"""Whatever scans say of each other, each is in one job, and in one only."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mist.ingest.run import bundles
from mist.ingest.source import ScanTask, SourceKind

IDS = ("a", "b", "c", "d")
others = st.none() | st.sampled_from((*IDS, "elsewhere"))


@st.composite
def scans(draw: st.DrawFn) -> list[ScanTask]:
    ids = draw(st.lists(st.sampled_from(IDS), unique=True))
    return [
        ScanTask(
            one,
            SourceKind.DICOM,
            (Path(one),),
            draw(st.booleans()),
            mask=draw(others),
            segments=draw(st.none() | st.sampled_from(IDS)),
        )
        for one in ids
    ]


@given(scans())
def test_each_scan_is_in_one_job(tasks: list[ScanTask]) -> None:
    found = [task.scan_id for bundle in bundles(tasks) for task in bundle]
    assert sorted(found) == sorted(task.scan_id for task in tasks)


@given(scans())
def test_scans_of_one_job_are_an_image_and_what_is_said_to_be_its_mask(tasks: list[ScanTask]) -> None:
    for image, mask in (bundle for bundle in bundles(tasks) if len(bundle) > 1):
        assert image.mask == mask.scan_id or mask.segments == image.scan_id
