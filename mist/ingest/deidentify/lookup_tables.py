"""The entries of lookup tables, without bytes behind them.

The rule: a table has as many entries as its descriptor says (PS3.3 C.7.6.3.1.5, C.11.1.1); what no decoder looks at
goes. Segmented palettes, whose length follows from their content, are left as they are.
"""

from __future__ import annotations

import struct

DESCRIPTORS = {0x00281201: 0x00281101, 0x00281202: 0x00281102, 0x00281203: 0x00281103, 0x00283006: 0x00283002}
"""Of the data of each table, palettes and LUT Data, where it is described."""


def entries_only(value: bytes, descriptor: bytes, *, is_little_endian: bool) -> bytes | None:
    """`value` to its last entry; None where the descriptor says nothing."""
    if len(descriptor) != 6:
        return None
    order = "<" if is_little_endian else ">"
    count, _, bits = struct.unpack(f"{order}3H", descriptor)
    count = count or 1 << 16  # which does not fit in 16 bits
    if bits > 8 or len(value) >= 2 * count:
        return value[: 2 * count]
    if is_little_endian:
        return value[:count] + bytes(count % 2) if len(value) > count else value
    return value[: count + count % 2]  # two entries share a word, the first in its low byte
