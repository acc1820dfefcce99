"""
A second decoder of `mist-block-1`: plain, short and slow.

Made from docs/format.md, "From a block to bytes", and sharing nothing with `mist.codec` but the file of the tables.
Python's integers do not overflow, so what is written here is the arithmetic of the page and nothing else. Read it from
the bottom to the top to see a block taken apart, from the top to the bottom to see it built up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

TABLES = np.load(Path(__file__).parents[2] / "mist" / "codec" / "tables.npy")
CODES = [*range(64), 80, 112, 144, 168, 180, 184, 188, 192, 196, 200, *range(204, 256)]

Shape = tuple[int, int, int]
Codes = dict[tuple[int, int, int], int]  # by (z, y, x)


def require(condition: bool, message: str) -> None:  # noqa: FBT001 (reads as the sentence it is)
    """Raise ValueError with the message if the condition does not hold."""
    if not condition:
        raise ValueError(message)


@dataclass
class Bytes:
    """Bytes and the place where reading goes on, which moves."""

    data: bytes
    at: int = 0

    def take(self, count: int) -> bytes:
        require(self.at + count <= len(self.data), "the block ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def varint(self) -> int:
        value = 0
        for place in range(5):
            (byte,) = self.take(1)
            value |= (byte & 127) << 7 * place
            if byte < 128:
                return value
        raise ValueError("a varint is longer than 5 bytes")

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)


def packed(data: bytes, width: int, count: int) -> Iterator[int]:
    """Give numbers of `width` bits each, the first in the lowest bits."""
    whole = int.from_bytes(data, "little")
    for index in range(count):
        yield (whole >> index * width) & ((1 << width) - 1)


@dataclass
class Stream:
    """The rANS words of a lane, from the front, and its raw bits, from the back."""

    data: bytes
    at: int = 4
    state: int = 0
    raw_count: int = 0

    def __post_init__(self) -> None:
        require(len(self.data) >= 4, "a lane is shorter than its state")
        self.state = int.from_bytes(self.data[:4], "little")
        self.backwards = int.from_bytes(self.data, "big")  # so that the last byte's lowest bit is bit 0

    def spare(self) -> int:
        """Give the count of bytes between the words and the raw bits."""
        return len(self.data) - self.at - -(-self.raw_count // 8)

    def raw(self, count: int) -> int:
        bits = (self.backwards >> self.raw_count) & ((1 << count) - 1)
        self.raw_count += count
        require(self.spare() >= 0, "a lane's raw bits run into its words")
        return bits

    def symbol(self, frequencies: list[int]) -> int:
        slot = self.state % 2048
        symbol, start = 0, 0
        while slot >= start + frequencies[symbol]:
            start += frequencies[symbol]
            symbol += 1
        self.state = frequencies[symbol] * (self.state >> 11) + slot - start
        if self.state < 65536:
            self.at += 2
            require(self.spare() >= 0, "a lane's words run into its raw bits")
            self.state = self.state << 16 | int.from_bytes(self.data[self.at - 2 : self.at], "little")
        return symbol

    def token(self, frequencies: list[int]) -> int:
        symbol = self.symbol(frequencies)
        token = self.symbol([16] * 128) if symbol == 74 else symbol
        require(token < 126, f"token {token} does not exist")
        return token

    def number(self, token: int) -> int:
        """Give the number of a token, with the raw bits that it asks for."""
        if token < 64:
            return token
        if token < 74:
            count = token // 2 - 27
            return (2 + token % 2 << count) + self.raw(count)
        return (1 << token - 63) + self.raw(token - 63)


def context(codes: Codes, at: Shape, rows: int, columns: int) -> int:
    """Give the context of the number at (z, y, x) of a lane, from the codes before it."""
    z, y, x = at

    def code(dz: int, dy: int, dx: int) -> int:
        row, column = (z + dz, y + dy), min(x + dx, columns - 1)
        if column >= 0:
            return codes[*row, column]
        return codes[row[0], row[1] - 1, 0] if row[1] else codes[row[0] - 1, row[1], 0] if row[0] else 0

    w, ww = code(0, 0, -1), code(0, 0, -2)
    n, p = code(0, -1, 0) if y else 0, code(-1, 0, 0) if z else 0
    around_n = code(0, -1, -1) + code(0, -1, 1) + code(0, -1 - (y > 1), 0) if y else 0
    around_p = code(-1, 0, -1) + code(-1, 0, 1) + code(-1, y + 1 < rows, 0) if z else 0
    if y and z:
        total = 12 * (w + n + p) + 4 * (ww + around_n + around_p + code(-1, -1, 0))
    elif y:
        total = 21 * (w + n) + 7 * (ww + around_n)
    elif z:
        total = 24 * (w + p) + 8 * ww + 4 * around_p
    else:
        total = 51 * w + 17 * ww
    length = (total + 12).bit_length()
    return 2 * length + (total + 12 >> length - 2) % 2 - 9


def decode_lane(data: bytes, shape: Shape, shift: int, table: list[list[int]]) -> list[int]:
    """Give the numbers of a lane of this shape in the order z, y, x."""
    low_bytes = -(-shift * prod(shape) // 8)
    low = packed(data[:low_bytes], shift, prod(shape))
    stream = Stream(data[low_bytes:])
    codes: Codes = {}
    high = []
    for z, y, x in product(*map(range, shape)):
        token = stream.token(table[context(codes, (z, y, x), shape[1], shape[2])])
        codes[z, y, x] = CODES[token]
        high.append(stream.number(token))
    require(stream.state == 65536 and stream.spare() == 0, "a lane does not end where its numbers do")
    return [upper << shift | rest for upper, rest in zip(high, low, strict=True)]


def tile_grid(shape: Shape) -> tuple[int, int]:
    """Give how many tiles a block has along y and x."""
    if prod(shape) >= 8192 and shape[1] >= 4 and shape[2] >= 2:
        return 4, 2
    return (2, 1) if prod(shape) >= 4096 and shape[1] >= 2 else (1, 1)


def coded(block: Bytes, shape: Shape, bits: int, *, has_shift: bool) -> NDArray[np.object_]:
    """Give the numbers of a coded block, lane by lane."""
    (index,) = block.take(1)
    require(index < 16, f"table {index} is not one of 16")
    shift = block.take(1)[0] if has_shift else 0
    require(not has_shift or 1 <= shift <= 25, f"shift {shift} is not 1 to 25")
    down, across = tile_grid(shape)
    lengths = [block.varint() for _ in range(down * across - 1)]
    data = [block.take(length) for length in lengths] + [block.rest()]
    tile = (shape[0], -(-shape[1] // down), -(-shape[2] // across))
    numbers = np.empty((shape[0], down * tile[1], across * tile[2]), object)
    for lane, (row, column) in enumerate(product(range(down), range(across))):
        lane_numbers = np.array(decode_lane(data[lane], tile, shift, TABLES[index].tolist()), object)
        part = numbers[:, row * tile[1] : (row + 1) * tile[1], column * tile[2] : (column + 1) * tile[2]]
        part[...] = lane_numbers.reshape(tile)
    numbers = numbers[:, : shape[1], : shape[2]]
    require(int(numbers.max()) < 1 << bits - 1, "a number does not fit the type")
    return numbers


def raw(block: Bytes, shape: Shape, bits: int) -> NDArray[np.object_]:
    """Give the numbers of a raw block."""
    (width,) = block.take(1)
    require(1 <= width < bits, f"width {width} is not 1 to {bits - 1}")
    data = block.take(-(-width * prod(shape) // 8))
    require(not block.rest(), "a raw block is too long")
    return np.reshape(np.array(list(packed(data, width, prod(shape))), object), shape)


def plane_prediction(d: NDArray[np.object_], y: int, x: int) -> int:
    """Predict the value at (y, x) of a plane from those before it."""
    if y == 0:
        return int(d[0, x - 1]) if x else 0
    n = int(d[y - 1, x])
    if x == 0:
        return n
    w, nw = int(d[y, x - 1]), int(d[y - 1, x - 1])
    return min(w, n) if nw >= max(w, n) else max(w, n) if nw <= min(w, n) else w + n - nw


def unpredict(residuals: NDArray[np.object_]) -> NDArray[np.object_]:
    """Make values from residuals: every slice is coded by its differences from the one before."""
    for difference in residuals:
        for y, x in product(*map(range, difference.shape)):
            difference[y, x] += plane_prediction(difference, y, x)
    return np.add.accumulate(residuals, axis=0)


def decode(data: bytes, dtype: DTypeLike, shape: Shape) -> NDArray[np.signedinteger]:
    """
    Give the block of this dtype (int32 or int64) and shape (z, y, x) that these bytes are.

    Raises
    ------
    ValueError
        If they are not one such block, from the first byte to the last.
    """
    bits = np.dtype(dtype).itemsize * 8
    block = Bytes(data)
    require(block.varint() == len(data) - block.at, "a block is not as long as it says")
    (flags,) = block.take(1)
    kind, has_extents, predicted, has_shift = flags & 3, flags & 4, flags & 8, flags & 16
    require(flags < 32 and kind < 3 and not (kind == 2 and has_shift), f"flags {flags} are not valid")
    values = np.zeros(shape, dtype)
    if kind == 0:
        require(flags == 0 and not block.rest(), "an empty block has more than its flags")
        return values
    held = (block.varint(), block.varint(), block.varint()) if has_extents else shape
    require(all(1 <= n <= whole for n, whole in zip(held, shape, strict=True)), f"extents {held} are not in {shape}")
    numbers = coded(block, held, bits, has_shift=bool(has_shift)) if kind == 1 else raw(block, held, bits)
    signed = np.where(numbers % 2 == 0, numbers // 2, -(numbers + 1) // 2)
    if predicted:
        signed = unpredict(signed)
        require(max(signed.max(), -signed.min()) < min(1 << bits - 2, 1 << 61), "a value is too large")
    values[: held[0], : held[1], : held[2]] = signed
    return values
