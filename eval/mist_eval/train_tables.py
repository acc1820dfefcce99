r"""Trains the table sets of the block coder: `python -m mist_eval.train_tables SOURCE... -o tables.npy`.

The rule: every block of every scan is a histogram of tokens by context. Histograms are clustered by the bits that one
cluster's frequencies would cost another's blocks (k-means with that as distance), so each set suits one kind of
content. Only the `train` split of a source that has one is used; figures are reported on what was not. The result is
part of the format: it is trained once for a codec version.

The sets that are shipped were made from the shared data by

    python -c "from pathlib import Path; from mist_eval.phantoms import write_ct_series as f; f(Path('phantom'))"
    python -m mist_eval.train_tables -o tables.npy cxr_nih:2 brain_tumour_mr:30 hippocampus:3 \
        $(ls dicom_zoo/*.dcm* | awk 'NR % 2 == 1') ct_tilt_phantom/*.dcm phantom

which takes a minute: the train splits of the first three, every second file of the zoo, slices one by one, a phantom.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mist.codec.context import CONTEXTS
from mist.codec.modelling import Part, extents, measure, model_block
from mist.codec.tables import ESCAPE, FREQUENCY_TOTAL, SYMBOLS
from mist.console import note, say
from mist.encoded_level import level_parts
from mist.errors import SourceRefused
from mist.reconstruct import decompose, stored_planes
from mist.volume import Volume
from mist.wavelet import IMAGE_WAVELET, MASK_WAVELET, wavelet_named
from mist_eval.volumes import volumes_in

Counts = npt.NDArray[np.float64]
"""How often each token comes in each context, (contexts, symbols), or the same for many blocks, (blocks, ...)."""

SETS = 16
"""Table sets: twice as many save 0.2 % more."""

_ROUNDS = 200
_RARE = 0.4
"""Tokens that would get less than this many of a context's slots are left to the escape."""

_POOLED_COUNTS = 15.0
"""How many tokens' worth of all blocks' distribution each context of a set starts with."""


def block_counts(volume: Volume, wavelet: str) -> Iterator[Counts]:
    """The histogram of each block of `volume` that is not empty."""
    planes, _, _, layout = stored_planes(volume, is_mask=wavelet == MASK_WAVELET)
    bands = decompose(planes, layout, wavelet_named(wavelet))
    for level in layout.levels:
        for band, *fields in np.concatenate(level_parts(layout, level)).tolist():
            values = bands[level][layout.bands(level)[band]].reshape(-1)
            part = extents(values, Part(*fields))
            if part.depth:
                model = model_block(values, part, measure(values, part))
                yield model.counts.reshape(CONTEXTS, SYMBOLS).astype(np.float64)


def train(blocks: Counts, sets: int = SETS) -> npt.NDArray[np.uint16]:
    """Table sets (sets, contexts, symbols) for histograms of blocks (blocks, contexts, symbols).

    A block counts by the root of its numbers, so that the small ones of coarse levels, which are read most, have a say.
    """
    flat, sizes = blocks.reshape(len(blocks), -1), blocks.sum(axis=(1, 2))
    blocks = blocks * np.sqrt(sizes.mean() / sizes)[:, np.newaxis, np.newaxis]
    pooled = _filled(blocks.sum(axis=0))
    cost = -(flat @ _log_shares(_shrunk(pooled, pooled)).ravel()) / flat.sum(axis=1)
    cluster = np.argsort(np.argsort(cost)) * sets // len(blocks)  # at first, by how busy a block is
    for _ in range(_ROUNDS):
        costs = np.stack(
            [_log_shares(_shrunk(blocks[cluster == one].sum(axis=0), pooled)).ravel() for one in range(sets)]
        )
        nearest = (flat @ costs.T).argmax(axis=1)
        if np.array_equal(nearest, cluster):
            break
        cluster = _without_gaps(nearest, sets)
    return np.stack([_frequencies(_shrunk(blocks[cluster == one].sum(axis=0), pooled)) for one in range(sets)])


def _filled(pooled: Counts) -> Counts:
    """`pooled`, where contexts that hardly occur take after the one before."""
    filled = pooled.copy()
    for context in range(1, CONTEXTS):
        if filled[context].sum() < 50:
            filled[context] += 50 * filled[context - 1] / filled[context - 1].sum()
    return filled


def _shrunk(counts: Counts, pooled: Counts) -> Counts:
    """`counts`, drawn towards the distribution of all blocks where they are few."""
    shrunk: Counts = counts + _POOLED_COUNTS * pooled / pooled.sum(axis=1, keepdims=True) + 1e-3
    return shrunk


def _log_shares(counts: Counts) -> Counts:
    shares: Counts = np.log2(counts / counts.sum(axis=1, keepdims=True))
    return shares


def _without_gaps(cluster: npt.NDArray[np.intp], sets: int) -> npt.NDArray[np.intp]:
    """`cluster`, with one block moved into each cluster that has lost all of its own."""
    moved = cluster.copy()
    for one in set(range(sets)) - set(cluster.tolist()):
        moved[one * len(moved) // sets] = one
    return moved


def _frequencies(counts: Counts) -> npt.NDArray[np.uint16]:
    """Whole frequencies (contexts, symbols), `FREQUENCY_TOTAL` in each context, of which the escape always has some."""
    frequencies = np.zeros((CONTEXTS, SYMBOLS), np.int64)
    for context, row in enumerate(counts):
        share = row / row.sum() * FREQUENCY_TOTAL
        rare = share < _RARE
        rare[ESCAPE] = False
        share[ESCAPE] = max(1.0, share[ESCAPE] + share[rare].sum())
        share[rare] = 0
        frequencies[context] = _rounded(share / share.sum() * FREQUENCY_TOTAL)
    return frequencies.astype(np.uint16)


def _rounded(share: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """`share` as whole numbers of the same sum; what is above 0 stays at 1 or more."""
    whole = np.where(share > 0, np.maximum(1, np.floor(share)), 0).astype(np.int64)
    while (missing := FREQUENCY_TOTAL - int(whole.sum())) != 0:
        gain = (
            np.where(whole > 0, share - whole, -np.inf) if missing > 0 else np.where(whole > 1, whole - share, -np.inf)
        )
        whole[int(gain.argmax())] += 1 if missing > 0 else -1
    return whole


def main() -> None:
    """Train on the sources that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="+", metavar="SOURCE[:EVERY]", help="a folder; every so manieth of its scans")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    blocks: list[Counts] = []
    for source in arguments.sources:
        folder, _, every = source.partition(":")
        for found in volumes_in(Path(folder), splits=("train",), every=int(every or 1)):
            try:
                blocks += block_counts(found.volume, MASK_WAVELET if found.is_mask else IMAGE_WAVELET)
            except SourceRefused as refusal:
                note(f"left out: {found.name}: {refusal}")
        note(f"{source}: {len(blocks)} blocks so far")
    np.save(arguments.output, train(np.stack(blocks)))
    say(f"{arguments.output}: {SETS} sets")


if __name__ == "__main__":
    main()
