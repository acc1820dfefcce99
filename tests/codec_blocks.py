"""Blocks that reach every form a block can take, and the ways in which their bytes can be damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from mist.codec import block_places, block_spans, decode_blocks_into, encode_block
from mist.pyramid import Triple
from mist.subbands import Coefficients

DTYPES: tuple[np.dtype[np.signedinteger], ...] = (np.dtype(np.int32), np.dtype(np.int64))
LARGEST: dict[np.dtype[np.signedinteger], int] = {np.dtype(np.int32): 2**30 - 1, np.dtype(np.int64): 2**61 - 1}
"""The greatest magnitude of a value that a block takes."""


def decode_into_box(blocks: Sequence[bytes], shape: Triple, array: Coefficients, start: Triple, stop: Triple) -> None:
    """Decode `blocks` of `shape` together into the box [start, stop) of `array`, so that it holds the last of them."""
    depth, height, width = array.shape
    places = block_places([(0, (depth, height, width), start, stop)] * len(blocks))
    decode_blocks_into(b"".join(blocks), block_spans(map(len, blocks)), shape, array.reshape(-1), places)


Maker = Callable[[np.random.Generator, np.dtype[np.signedinteger]], npt.NDArray[np.generic]]


def details(shape: Triple, spread: float) -> Maker:
    """Blocks such as high-pass subbands are: small values around 0."""
    return lambda rng, _: np.round(rng.laplace(0, spread, shape))


def picture(shape: Triple, scale: int) -> Maker:
    """Blocks such as the coarsest level is: values that neighbours predict."""
    z, y, x = np.indices(shape)
    return lambda rng, _: (50 * z + 9 * y + 3 * x + rng.integers(0, 4, shape)) * scale


def noise(shape: Triple, bits: int) -> Maker:
    """Blocks that nothing predicts, all of whose bits are used alike."""
    return lambda rng, _: rng.integers(-(2**bits), 2**bits, shape)


def impulses(shape: Triple, every: int) -> Maker:
    """Zeros with rare values as large as the dtype takes."""
    return lambda rng, dtype: np.where(
        rng.integers(0, every, shape) == 0, rng.integers(-LARGEST[dtype], LARGEST[dtype], shape), 0
    )


def corner(shape: Triple, held: Triple) -> Maker:
    """Details in a part at the block's origin, zeros outside it."""
    inside = np.all(np.indices(shape) < np.reshape(held, (3, 1, 1, 1)), axis=0)
    return lambda rng, _: np.where(inside, 1 + np.abs(np.round(rng.laplace(0, 3, shape))), 0)


def extremes(shape: Triple) -> Maker:
    """Values of the greatest magnitude and both signs."""
    return lambda rng, dtype: rng.choice([-LARGEST[dtype], LARGEST[dtype]], shape)


def leaps(shape: Triple) -> Maker:
    """A flat picture with one corner in it, whose residual is larger than a number can be."""

    def make(_rng: np.random.Generator, dtype: np.dtype[np.signedinteger]) -> Coefficients:
        block = np.full(shape, LARGEST[dtype], dtype)
        block[0, 4:6, 4:6] = -LARGEST[dtype]
        block[0, 5, 5] = LARGEST[dtype]
        block[1, 5, 5] = -LARGEST[dtype]
        return block

    return make


MAKERS: dict[str, Maker] = {
    "zeros": lambda _rng, _dtype: np.zeros((3, 8, 9)),
    "one zero": lambda _rng, _dtype: np.zeros((1, 1, 1)),
    "one value": noise((1, 1, 1), 5),
    "one column": details((3, 9, 1), 2),
    "two columns": details((3, 9, 2), 2),
    "one row": details((3, 1, 50), 2),
    "one long row": details((1, 1, 5000), 2),
    "one long column": details((1, 4200, 1), 2),
    "one deep column": details((4200, 1, 1), 2),
    "three rows": details((2, 3, 700), 2),
    "one lane": details((3, 21, 65), 4),
    "most of two lanes": details((1, 90, 91), 2),
    "eight lanes": details((4, 32, 64), 2),
    "least of eight lanes": details((1, 64, 128), 3),
    "eight lanes of one row": details((1, 4, 2050), 3),
    "eight lanes of one column": details((1, 4200, 2), 3),
    "unequal lanes": details((3, 53, 55), 3),
    "lanes without rows": details((3, 5, 600), 3),
    "too narrow for eight lanes": details((2, 4200, 1), 3),
    "too low for eight lanes": details((3, 3, 1000), 3),
    "too low for two lanes": details((9, 1, 1000), 3),
    "two lanes": details((1, 64, 64), 3),
    "two unequal lanes": details((5, 31, 27), 3),
    "a whole block": details((8, 64, 64), 1),
    "a flat picture": picture((1, 96, 87), 1),
    "a deep picture": picture((3, 40, 80), 20),
    "a small picture": picture((2, 5, 7), 3),
    "a tiny picture": lambda _rng, _dtype: np.full((1, 1, 2), 1000),
    "a picture of large values": picture((2, 9, 11), 20_000),
    "low bits": details((2, 66, 64), 2**17),
    "many low bits": details((2, 65, 67), 2**26),
    "low bits in one lane": details((2, 7, 9), 2**12),
    "noise": noise((2, 8, 16), 9),
    "loud noise": noise((2, 66, 64), 29),
    "quiet noise": noise((3, 20, 70), 1),
    "rare escapes": impulses((4, 64, 33), 900),
    "escapes": impulses((3, 20, 25), 30),
    "corner": corner((8, 32, 32), (3, 20, 11)),
    "large corner": corner((8, 32, 64), (5, 31, 63)),
    "one plane": corner((8, 32, 32), (1, 32, 32)),
    "last value": lambda _rng, _dtype: np.eye(12)[np.newaxis] * (np.arange(12) == 11),
    "extremes": extremes((2, 9, 20)),
    "flat": lambda _rng, dtype: np.full((2, 40, 60), -LARGEST[dtype]),
    "leaps": leaps((2, 16, 32)),
}


def make_block(name: str, dtype: np.dtype[np.signedinteger]) -> Coefficients:
    """The block of this name, the same each time."""
    return MAKERS[name](np.random.default_rng(7), dtype).astype(dtype)


def varint(value: int) -> bytes:
    """LEB128."""
    return bytes([value & 127 | 128]) + varint(value >> 7) if value >= 128 else bytes([value])


def sealed(body: bytes) -> bytes:
    """A block with this after its length."""
    return varint(len(body)) + body


def body_of(data: bytes) -> bytes:
    """What a block holds after its length."""
    return data[next(at for at, byte in enumerate(data) if byte < 128) + 1 :]


def mutants(blocks: list[Coefficients], rng: np.random.Generator) -> Iterator[tuple[bytes, Coefficients]]:
    """Damaged blocks without end, each with one that it was made from; nearly all state their true length."""
    bodies = [(body_of(encode_block(block)), block) for block in blocks]
    while True:
        body, block = bodies[rng.integers(len(bodies))]
        other, _ = bodies[rng.integers(len(bodies))]
        change = CHANGES[rng.integers(len(CHANGES))]
        mutant = sealed(change(body, other, rng))
        if rng.integers(20) == 0:
            mutant = _set_bytes(mutant, other, rng)
        yield mutant, block


def _flip_bits(body: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    mutant = bytearray(body)
    for bit in rng.integers(0, 8 * len(body), rng.integers(1, 9)):
        mutant[bit // 8] ^= 1 << bit % 8
    return bytes(mutant)


def _set_bytes(body: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    mutant = bytearray(body)
    for at in rng.integers(0, len(body), rng.integers(1, 5)):
        mutant[at] = [0, 1, 127, 128, 255, int(rng.integers(256))][rng.integers(6)]
    return bytes(mutant)


def _change_frame(body: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    mutant = bytearray(body)
    mutant[rng.integers(0, min(len(body), 12))] = rng.integers(256)
    return bytes(mutant)


def _change_flags(body: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    return bytes([rng.integers(32)]) + body[1:]


def _cut(body: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    at = rng.integers(0, len(body))
    return body[:at] + body[at + rng.integers(1, 9) :]


def _insert(body: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    at = rng.integers(0, len(body))
    return body[:at] + rng.bytes(int(rng.integers(1, 9))) + body[at:]


def _truncate(body: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    return body[: rng.integers(0, len(body))]


def _splice(body: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    return body[: rng.integers(0, len(body) + 1)] + other[rng.integers(0, len(other)) :]


def _make_up(_body: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    return bytes([rng.integers(32)]) + rng.bytes(int(rng.integers(0, 300)))


CHANGES: list[Callable[[bytes, bytes, np.random.Generator], bytes]] = [
    _flip_bits,
    _set_bytes,
    _change_frame,
    _change_flags,
    _cut,
    _insert,
    _truncate,
    _splice,
    _make_up,
]
