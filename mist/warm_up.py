"""Compiling the loops before they are needed: `python -m mist.warm_up`.

The rule: everything is compiled for the kind of numbers that nearly all scans have, int32, in half a minute, once on a
machine; what comes of it lies in numba's cache. Larger numbers are compiled for when the first scan has them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mist.codec import decode_block, encode_block
from mist.codec.block_decoder import decode_blocks
from mist.codec.block_encoder import encode_blocks
from mist.png_rows import PngRows
from mist.subbands import band_names
from mist.wavelet import IMAGE_WAVELET, forward, inverse, wavelet_named

EMPTY_BLOCK = b"\1\0"
"""Decodes to zeros: what a loop does with its arguments does not matter for compiling it."""


def is_warm(*, to_encode: bool) -> bool:
    """Whether the decoder, or if so asked the encoder too, was compiled on this machine before."""
    folders = [
        (loop, loop.stats.cache_path) for loop in ((decode_blocks, encode_blocks) if to_encode else (decode_blocks,))
    ]
    return all(
        folder is not None and any(Path(folder).glob(f"*.{loop.py_func.__name__}-*.nbi")) for loop, folder in folders
    )


def warm_up(*, to_encode: bool) -> None:
    """Compile the decoder, or if so asked the encoder too, or take them from the cache."""
    wavelet, voxels = wavelet_named(IMAGE_WAVELET), np.zeros((1, 2, 2, 2), np.int32)
    decode_block(EMPTY_BLOCK, voxels.dtype, (2, 2, 2))
    inverse({name: np.zeros((1, 1, 1, 1), np.int32) for name in ("", *band_names("zyx"))}, "zyx", wavelet)
    if to_encode:
        forward(voxels, "zyx", wavelet)
        encode_block(voxels[0])
        row = PngRows(1, 1, 1, 1)
        row.unfiltered(row.filtered(b"\0", b"\0"))


if __name__ == "__main__":
    warm_up(to_encode=True)
