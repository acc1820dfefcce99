"""Damaged blocks by the thousand through the block decoder, with every index checked.

    python -m tests.fuzz.fuzz_block_decoder --count 20000 --seed 0 --seconds 600

Each block is decoded into the middle of a larger array, after it was decoded there together with as many whole ones as
are read side by side. What may happen: `BlockCorrupt`, or values (a block has no checksum of its own), with nothing
written around them. What else happens is printed with the bytes that did it, and the
exit status is 1. An index below 0 counts from the end in numba, as in Python, and is not seen: that none is, the
decoder's own comparisons prove.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from itertools import islice

# Compiled code that does not check lies in the usual cache, so that these must be set before numba is imported.
_CACHE = tempfile.TemporaryDirectory(prefix="mist-fuzz-")
os.environ["NUMBA_BOUNDSCHECK"] = "1"
os.environ["NUMBA_CACHE_DIR"] = _CACHE.name

import numba  # noqa: E402
import numpy as np  # noqa: E402

from mist.codec import BlockCorrupt, encode_block  # noqa: E402
from mist.subbands import Coefficients  # noqa: E402
from tests.codec_blocks import DTYPES, MAKERS, decode_into_box, make_block, mutants  # noqa: E402

_AROUND = 77
"""What is written around each block before it is decoded."""

_LARGEST_BLOCK = 9700
"""Values of a block that is damaged: enough for eight lanes."""


@numba.njit(nogil=True)
def _read(values: Coefficients, at: int) -> int:
    return int(values[at])


def indices_are_checked() -> bool:
    """Whether compiled code raises IndexError where it reads beyond an array."""
    try:
        _read(np.zeros(3, np.int64), 3)
    except IndexError:
        return True
    return False


def outcome(data: bytes, block: Coefficients) -> str:
    """What came of decoding `data` as a block of the shape and dtype of `block`."""
    array = np.full([length + 2 for length in block.shape], _AROUND, block.dtype)
    inside = array[1:-1, 1:-1, 1:-1]
    try:
        z, y, x = block.shape
        for blocks in ([encode_block(block), data, encode_block(block)], [data]):
            decode_into_box(blocks, (z, y, x), array, (1, 1, 1), (z + 1, y + 1, x + 1))
    except BlockCorrupt:
        result = "refused"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return f"FAILED: {error!r}"
    else:
        result = "the same values" if np.array_equal(inside, block) else "other values"
    inside[:] = _AROUND
    return result if (array == _AROUND).all() else "FAILED: written outside of the block"


def fuzz(count: int, seed: int, seconds: float) -> Counter[str]:
    """How often each outcome came, of `count` damaged blocks or as many as are decoded in `seconds`."""
    blocks = [make_block(name, dtype) for name in MAKERS for dtype in DTYPES]
    small = [block for block in blocks if block.size <= _LARGEST_BLOCK]
    outcomes: Counter[str] = Counter()
    begin = time.monotonic()
    for data, block in islice(mutants(small, np.random.default_rng(seed)), count):
        result = outcome(data, block)
        outcomes[result] += 1
        if result.startswith("FAILED"):
            sys.stdout.write(f"{result}\n  {block.dtype} {block.shape} {data.hex()}\n")
        if time.monotonic() - begin > seconds:
            break
    return outcomes


def main() -> int:
    """Run the command; its exit status comes back."""
    parser = argparse.ArgumentParser(description="damaged blocks through the block decoder, with every index checked")
    parser.add_argument("--count", type=int, default=20_000, help="damaged blocks")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    parser.add_argument("--seconds", type=float, default=600, help="stop after this time")
    options = parser.parse_args()
    if not indices_are_checked():
        sys.exit("FAILED: numba does not check indices")
    outcomes = fuzz(options.count, options.seed, options.seconds)
    sys.stdout.write(f"seed {options.seed}: {outcomes.total()} damaged blocks\n")
    sys.stdout.writelines(f"{times:9} {result}\n" for result, times in outcomes.most_common())
    return int(any(result.startswith("FAILED") for result in outcomes))


if __name__ == "__main__":
    sys.exit(main())
