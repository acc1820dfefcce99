"""The block coder as other libraries know codecs: `mist_block` for Zarr v3 and for numcodecs.

The rule: nothing here codes anything; `mist.codec` does. Both classes are found by entry point, so that any Zarr
library in Python beside which this package is installed reads the arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from numcodecs.abc import Codec
from zarr.abc.codec import ArrayBytesCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer, NDBuffer

from mist.codec import decode_block, encode_block
from mist.errors import InvalidRequest
from mist.pyramid import Triple

VERSION = 1
"""The version of the codec's bytes, as stated in its configuration."""


@dataclass(frozen=True)
class MistBlockCodec(ArrayBytesCodec):
    """Zarr v3's array-to-bytes codec `mist_block`: a chunk of int32 or int64 whose last three axes are (z, y, x).

    Raises
    ------
    InvalidRequest
        The version is not the one that this package knows.
    """

    version: int = VERSION
    is_fixed_size = False

    def __post_init__(self) -> None:
        if self.version != VERSION:
            raise InvalidRequest(f"codec mist_block has version {VERSION} here, not {self.version}")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The codec that Zarr metadata names."""
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """As Zarr metadata."""
        return {"name": "mist_block", "configuration": {"version": self.version}}

    def compute_encoded_size(self, input_byte_length: int, _chunk_spec: ArraySpec) -> int:
        """Not known before encoding."""
        raise InvalidRequest(f"the encoded size of {input_byte_length} bytes is not known before they are encoded")

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        dtype = chunk_spec.dtype.to_native_dtype()
        values = decode_block(chunk_data.to_bytes(), np.dtype(_signed(dtype)), _box(chunk_spec.shape))
        return chunk_spec.prototype.nd_buffer.from_ndarray_like(values.reshape(chunk_spec.shape))  # type: ignore[arg-type]

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        values = chunk_data.as_numpy_array().reshape(_box(chunk_spec.shape))
        return chunk_spec.prototype.buffer.from_bytes(encode_block(values))


class MistBlock(Codec):  # type: ignore[misc]  # numcodecs is not annotated
    """numcodecs' codec `mist_block`: encodes an array of one `dtype` and `shape`, of at most three axes.

    Parameters
    ----------
    dtype
        `int32` or `int64`.
    shape
        Of the array; its last three axes are (z, y, x).
    version
        Of the codec's bytes.

    Raises
    ------
    InvalidRequest
        Version, dtype or shape are not what the codec takes.
    """

    codec_id = "mist_block"

    def __init__(self, dtype: str, shape: tuple[int, ...], version: int = VERSION) -> None:
        if version != VERSION or np.dtype(dtype).name not in ("int32", "int64"):
            raise InvalidRequest(f"codec mist_block is version {VERSION} of int32 or int64, not {version} of {dtype}")
        self.dtype, self.shape, self.version = np.dtype(dtype).name, list(shape), version

    def encode(self, buf: npt.NDArray[np.signedinteger]) -> bytes:
        """The bytes of an array of the codec's dtype and shape."""
        values = np.asarray(buf).view(self.dtype).reshape(_box(tuple(self.shape)))
        return encode_block(values)

    def decode(self, buf: bytes, out: npt.NDArray[np.signedinteger] | None = None) -> npt.NDArray[np.signedinteger]:
        """The array that `buf` holds, copied into `out` where that is given."""
        values = decode_block(memoryview(buf), np.dtype(self.dtype), _box(tuple(self.shape))).reshape(self.shape)
        if out is None:
            return values
        np.copyto(out.view(self.dtype).reshape(self.shape), values)
        return out


def _signed(dtype: np.dtype[np.generic]) -> type[np.int32 | np.int64]:
    if dtype.name not in ("int32", "int64"):
        raise InvalidRequest(f"codec mist_block takes int32 and int64, not {dtype.name}")
    return np.int32 if dtype.itemsize == 4 else np.int64


def _box(shape: tuple[int, ...]) -> Triple:
    """`shape` as (z, y, x): axes before the last three must have length 1, missing ones have."""
    padded = (1, 1, 1, *shape)
    if any(length != 1 for length in padded[:-3]):
        raise InvalidRequest(f"codec mist_block takes chunks of one block (z, y, x), not of shape {shape}")
    return padded[-3], padded[-2], padded[-1]
