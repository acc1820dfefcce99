"""Reading a stored scan: plan, fetch, check, decode, reconstruct. Client and server both come here.

The rule: a level is one GET of a prefix. A region takes the coarse levels as one prefix, then the block table's entries
and the blocks of the finer ones. Nothing is decoded before its digest fits; whatever is missing, short, swapped or
altered is `ScanCorrupt`, with the scan and the level.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple, Protocol, runtime_checkable

from mist.block_table import TABLE_ENTRY_BYTES, table_entry, walk_blocks
from mist.blocks import Block
from mist.codec import BlockCorrupt, Table, block_spans, decode_blocks_into
from mist.errors import ObjectNotFound, ScanCorrupt
from mist.plan import Plan, make_plan
from mist.reconstruct import Reconstruction
from mist.request import Request
from mist.scan import ScanHeader
from mist.subbands import Coefficients
from mist.volume import Volume
from mist_storage.decoding_threads import decoding_run
from mist_storage.keys import BLOCKS, scan_key
from mist_storage.spans import coalesce, cut, table_spans
from mist_storage.zarr_shard import level_digest, level_span, table_range

WHOLE_LEVEL_BYTES = 64 * 1024
"""A level with no more bytes than this is read whole even for a region: a request costs more than the bytes."""

MAX_GAP_BYTES = 16 * 1024
"""Blocks that lie no further apart than this are fetched in one range."""


Bytes = bytes | memoryview
"""What was read."""


class RangeReader(Protocol):
    """What a scan reader needs of a store: see `mist_storage.store.Store`."""

    def get_range(self, key: str, start: int, stop: int) -> Bytes:
        """Bytes [start, stop) of an object, fewer where it ends before."""

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> Sequence[Bytes]:
        """Several ranges [start, stop) of one object."""


@dataclass(frozen=True, slots=True)
class BytesReader:
    """One object in memory, whatever key is asked for."""

    data: memoryview

    def get_range(self, key: str, start: int, stop: int) -> Bytes:  # noqa: ARG002 - there is one object
        """See `RangeReader.get_range`."""
        return self.data[start:stop]

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> Sequence[Bytes]:
        """See `RangeReader.get_ranges`."""
        return [self.get_range(key, start, stop) for start, stop in ranges]


class FetchedBlocks(NamedTuple):
    """Blocks that fit their digest."""

    data: bytes | memoryview
    """Bytes among which theirs are."""
    spans: Table
    """Where each begins and ends."""


@runtime_checkable
class Forgetful(Protocol):
    """A store that remembers what it has read, and can be told not to."""

    def forget(self, keys: Sequence[str]) -> None:
        """Drop what is remembered of `keys`."""


@dataclass(frozen=True, slots=True)
class ScanReader:
    """Reads one stored scan.

    Parameters
    ----------
    store
        The dataset's store.
    scan_id, digest
        Which scan: see `mist_storage.keys.scan_key`.
    header
        What the catalog says of it.
    """

    store: RangeReader
    scan_id: str
    digest: str
    header: ScanHeader

    def read(self, request: Request) -> Volume:
        """What `request` asks for.

        Raises
        ------
        InvalidRequest
            The scan cannot answer it.
        ScanCorrupt
            Stored bytes are missing, short, swapped or altered.
        StoreError
            The store failed.
        """
        plan = make_plan(self.header, request)
        reconstruction = Reconstruction(self.header, plan)
        with self._forgetting_damage():
            for levels, blocks in self._levels(plan, reconstruction):
                self._refine(reconstruction, levels, blocks)
        return reconstruction.volume()

    def refine(self, request: Request) -> Iterator[Volume]:
        """Coarse to fine: the coarsest level first, what `request` asks for last. No byte is fetched twice."""
        plan = make_plan(self.header, request)
        reconstruction = Reconstruction(self.header, plan)
        for level in range(self.header.pyramid.coarsest, plan.level - 1, -1):
            with self._forgetting_damage():
                self._refine(reconstruction, [level], self._one_level(level, reconstruction.wanted(level)))
            yield reconstruction.volume()

    @contextmanager
    def _forgetting_damage(self) -> Iterator[None]:
        """Bytes that turn out bad are not kept: a transfer that failed once must not make the scan fail for ever."""
        try:
            yield
        except ScanCorrupt:
            if isinstance(self.store, Forgetful):
                self.store.forget([self._key])
            raise

    @property
    def _key(self) -> str:
        return scan_key(self.scan_id, self.digest, BLOCKS)

    def _refine(self, reconstruction: Reconstruction, levels: Sequence[int], blocks: FetchedBlocks) -> None:
        """Decode the wanted `blocks` of the next `levels`, and go as much finer."""

        def fill(chunk: slice, out: Coefficients, places: Table) -> None:
            decode_blocks_into(blocks.data, blocks.spans[chunk], self.header.block_shape, out, places)

        run = decoding_run(max(map(self.header.layout.level_values, levels)))
        try:
            reconstruction.refine(fill, run, levels=len(levels))
        except BlockCorrupt as error:  # although their digests fit, so that any of `levels` may be meant
            raise ScanCorrupt(self.scan_id, levels[-1], str(error)) from None

    def _levels(self, plan: Plan, reconstruction: Reconstruction) -> Iterator[tuple[Sequence[int], FetchedBlocks]]:
        """Levels and their wanted blocks: what is read whole in one GET, small ones together, then the others."""
        levels = range(self.header.pyramid.coarsest, plan.level - 1, -1)
        wanted = {level: reconstruction.wanted(level) for level in levels}
        whole = list(takewhile(lambda level: level == levels[0] or self._take_whole(level, wanted[level]), levels))
        data = memoryview(self._fetch(0, self.header.levels[whole[-1]].end_byte, whole[-1]))
        others = levels[len(whole) :]
        while whole:
            together, whole = whole[: reconstruction.together(whole)], whole[reconstruction.together(whole) :]
            here = slice(self._span(together[0])[0], self._span(together[-1])[1])
            yield together, self._checked_levels(together, data[here], reconstruction.wanted(*together))
        for level in others:
            yield [level], self._some_blocks(level, wanted[level])

    def _take_whole(self, level: int, wanted: Sequence[Block]) -> bool:
        start, stop = self._span(level)
        return len(wanted) * 2 > len(self.header.layout.numbers(level)) or stop - start <= WHOLE_LEVEL_BYTES

    def _one_level(self, level: int, wanted: Sequence[Block]) -> FetchedBlocks:
        if level == self.header.pyramid.coarsest or self._take_whole(level, wanted):
            start, stop = self._span(level)
            return self._checked_levels([level], memoryview(self._fetch(start, stop, level)), wanted)
        return self._some_blocks(level, wanted)

    def _span(self, level: int) -> tuple[int, int]:
        return level_span(self.header, level)

    def _fetch(self, start: int, stop: int, level: int) -> Bytes:
        if start == stop:
            return b""
        try:
            data = self.store.get_range(self._key, start, stop)
        except ObjectNotFound as error:
            raise ScanCorrupt(self.scan_id, level, f"the object of blocks is missing: {error}") from None
        self._check_length(level, start, stop, data)
        return data

    def _check_length(self, level: int, start: int, stop: int, data: Bytes) -> None:
        if len(data) != stop - start:
            raise ScanCorrupt(self.scan_id, level, f"bytes {start} to {stop} were asked for, {len(data)} bytes came")

    def _checked_levels(self, levels: Sequence[int], data: memoryview, wanted: Sequence[Block]) -> FetchedBlocks:
        """The `wanted` blocks of `levels`, coarse to fine, from the bytes of all, once these fit their digests."""
        first, lengths = self._span(levels[0])[0], list[int]()
        for level in levels:
            start, stop = self._span(level)
            lengths += self._checked_lengths(level, data[start - first : stop - first])
        numbers = self.header.layout.numbers(levels[0])
        return FetchedBlocks(data, block_spans(lengths)[[block.number - numbers.start for block in wanted]])

    def _checked_lengths(self, level: int, data: memoryview) -> list[int]:
        """The lengths of the blocks of `level` in its bytes, which fit its digest."""
        try:
            blocks = walk_blocks(data, len(self.header.layout.numbers(level)))
        except BlockCorrupt as error:
            raise ScanCorrupt(self.scan_id, level, str(error)) from None
        self._check_digest(level, level_digest(map(table_entry, blocks)))
        return [len(block) for block in blocks]

    def _check_digest(self, level: int, digest: str) -> None:
        expected = self.header.levels[level].digest
        if digest != expected:
            raise ScanCorrupt(self.scan_id, level, f"its bytes have digest {digest[:16]}, not {expected[:16]}")

    def _some_blocks(self, level: int, wanted: Sequence[Block]) -> FetchedBlocks:
        """The `wanted` blocks of a level, each checked against the block table, which fits the level's digest."""
        numbers = self.header.layout.numbers(level)
        start, stop = table_range(self.header, numbers)
        table = self._fetch(start, stop, level)
        entries = [table[at : at + TABLE_ENTRY_BYTES] for at in range(0, len(table), TABLE_ENTRY_BYTES)]
        self._check_digest(level, level_digest(entries))
        spans = table_spans(entries, self._span(level)[0])
        chosen = [block.number - numbers.start for block in wanted]
        blocks = self._fetch_spans(level, [spans[i] for i in chosen])
        for i, block in zip(chosen, blocks, strict=True):
            if table_entry(block) != entries[i]:
                raise ScanCorrupt(self.scan_id, level, f"block {numbers[i]} does not fit its digest")
        return FetchedBlocks(b"".join(blocks), block_spans(map(len, blocks)))

    def _fetch_spans(self, level: int, spans: Sequence[tuple[int, int]]) -> list[memoryview]:
        ranges = coalesce(spans, MAX_GAP_BYTES)
        try:
            parts = self.store.get_ranges(self._key, ranges)
        except ObjectNotFound as error:
            raise ScanCorrupt(self.scan_id, level, f"the object of blocks is missing: {error}") from None
        for (start, stop), part in zip(ranges, parts, strict=True):
            self._check_length(level, start, stop, part)
        return list(cut(spans, ranges, parts))
