"""Write the golden blocks: bytes of version 1 of the block coder, and the values that they must decode to for ever.

    python -m tests.golden.write

To be run again only before a version is released; after that its golden blocks never change.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mist.codec import encode_block
from tests.codec_blocks import make_block

GOLDEN = Path(__file__).parent / "mist-block-1.npz"

BLOCKS: dict[str, type[np.signedinteger]] = {
    "zeros": np.int32,
    "one value": np.int32,
    "two columns": np.int64,
    "three rows": np.int32,
    "two unequal lanes": np.int32,
    "eight lanes": np.int32,
    "unequal lanes": np.int64,
    "a flat picture": np.int32,
    "a tiny picture": np.int32,
    "a deep picture": np.int64,
    "a picture of large values": np.int32,
    "low bits in one lane": np.int32,
    "noise": np.int32,
    "escapes": np.int64,
    "rare escapes": np.int32,
    "extremes": np.int64,
    "corner": np.int32,
}
"""Blocks that together meet every part of the format, each of one dtype."""


def main() -> None:
    """Write all golden blocks into one file."""
    arrays = {}
    for name, dtype in BLOCKS.items():
        block = make_block(name, np.dtype(dtype))
        arrays[f"{name}: values"] = block
        arrays[f"{name}: bytes"] = np.frombuffer(encode_block(block), np.uint8)
    np.savez_compressed(GOLDEN, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
