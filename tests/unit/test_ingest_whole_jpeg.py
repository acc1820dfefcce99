from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames

from mist.errors import SourceRefused
from mist.ingest.dicom import read_dicom
from mist.ingest.pictures import read_picture
from mist.ingest.whole_jpeg import depends_on_what_follows, require_whole_jpeg

END = b"\xff\xd9"


def noise(bits: int, *shape: int) -> npt.NDArray[np.uint8 | np.uint16]:
    values = np.random.default_rng(bits).integers(0, 1 << bits, shape)
    return values.astype(np.uint8 if bits <= 8 else np.uint16)


def saved(samples: npt.NDArray[np.uint8 | np.uint16], **options: int | bool) -> bytes:
    out = io.BytesIO()
    Image.fromarray(samples).save(out, "JPEG", **options)
    return out.getvalue()


STREAMS: dict[str, Callable[[], bytes]] = {
    "baseline": lambda: saved(noise(8, 40, 56)),
    "progressive": lambda: saved(noise(8, 40, 56), progressive=True),
    "colour": lambda: saved(noise(8, 40, 56, 3)),
    "restarts": lambda: saved(noise(8, 40, 56), restart_marker_blocks=5),
    "8 bits lossless": lambda: bytes(imagecodecs.jpeg8_encode(noise(8, 40, 56), lossless=True)),
    "12 bits": lambda: bytes(imagecodecs.jpeg8_encode(noise(12, 40, 56), bitspersample=12)),
    "16 bits lossless": lambda: bytes(imagecodecs.jpeg8_encode(noise(16, 40, 56), lossless=True)),
}


def test_what_is_whole_or_no_jpeg_at_all_passes() -> None:
    for stream in STREAMS.values():
        require_whole_jpeg(stream())
        require_whole_jpeg(stream() + bytes(3))  # DICOM's padding, and what some writers add
    for other in (
        b"",
        b"\x89PNG",
        imagecodecs.jpegls_encode(noise(8, 9, 9)),
        imagecodecs.jpeg2k_encode(noise(8, 9, 9)),
    ):
        require_whole_jpeg(bytes(other))


@pytest.mark.parametrize("kind", STREAMS)
def test_data_that_end_early_are_refused_wherever_that_is_with_an_end_marker_or_without(kind: str) -> None:
    stream = STREAMS[kind]()
    start = stream.rindex(b"\xff\xda") + 16
    for place in range(start, len(stream) - len(END) - 2, 29):
        for end in (b"", END):
            with pytest.raises(SourceRefused, match=r"its JPEG data are damaged.*get the file again"):
                require_whole_jpeg(stream[:place] + end)


@pytest.mark.parametrize("options", [{"restart_marker_blocks": 1}, {"restart_marker_rows": 1, "progressive": True}])
def test_data_that_end_where_a_restart_marker_stood_change_with_what_follows(options: dict[str, int | bool]) -> None:
    stream = saved(noise(8, 40, 56), **options)
    assert not depends_on_what_follows(stream)
    places = [at for at in range(len(stream) - 1) if stream[at] == 0xFF and 0xD0 <= stream[at + 1] <= 0xD7]
    assert {stream[at + 1] for at in places} >= set(range(0xD0, 0xD4))
    for place in places:
        assert depends_on_what_follows(stream[:place] + END), place


def test_a_picture_whose_data_end_early_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chest.jpg"
    path.write_bytes(shortened(STREAMS["colour"]()))
    with pytest.raises(SourceRefused, match="its JPEG data are damaged"):
        read_picture(path, is_mask=False)


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG2000.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_jpeg_dcmtk.dcm"])
def test_a_dicom_frame_whose_data_end_early_is_refused(name: str, tmp_path: Path) -> None:
    dataset = dcmread(str(get_testdata_file(name)))
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    dataset.PixelData = encapsulate([shortened(frame)])
    dataset.save_as(tmp_path / "short.dcm")
    with pytest.raises(SourceRefused, match=r"its JPEG data are damaged|the file is damaged"):
        read_dicom([tmp_path / "short.dcm"])


def shortened(stream: bytes) -> bytes:
    return stream[: len(stream) * 6 // 10 // 2 * 2] + stream.rstrip(b"\0")[-len(END) :]
