"""Vectors of `mist.codec.simd` from memory, and to it.

The rule: as in all compiled code, whoever loads, stores, gathers or scatters keeps inside the array;
`NUMBA_BOUNDSCHECK=1` checks it.
"""

from __future__ import annotations

from functools import reduce

import numba
from llvmlite import ir
from numba.core import cgutils, config
from numba.extending import intrinsic

from mist.codec.simd import LONGS, TRUTHS, VECTOR, WIDTH, WORD, repeated, vector


def _require_inside(context, builder, array, first, count):
    """Raise IndexError where `count` elements from `first` on are not in `array`, if numba is to check such things."""
    if config.BOUNDSCHECK:
        (length,) = cgutils.unpack_tuple(builder, array.shape, 1)
        for place in (first, builder.add(first, ir.Constant(first.type, count - 1))):
            cgutils.do_boundscheck(context, builder, place, length)


def _require_all_inside(context, builder, array, indices, count):
    """`_require_inside` for each of eight elements, in a vector."""
    for one in range(WIDTH):
        index = builder.zext(builder.extract_element(indices, ir.Constant(WORD, one)), ir.IntType(64))
        _require_inside(context, builder, array, index, count)


def _place(context, builder, call, arguments):
    """The address of element `arguments[1]` of the array `arguments[0]` as that of eight elements, and one's type."""
    array = context.make_array(call.args[0])(context, builder, arguments[0])
    element = context.get_data_type(call.args[0].dtype)
    at = context.cast(builder, arguments[1], call.args[1], numba.types.intp)
    _require_inside(context, builder, array, at, WIDTH)
    address = builder.gep(array.data, [at])
    return builder.bitcast(address, ir.VectorType(element, WIDTH).as_pointer()), element


@intrinsic
def load(_context, array, at):
    """The elements [at, at + 8) of a flat array of uint8, uint16 or uint32."""

    def build(context, builder, call, arguments):
        address, element = _place(context, builder, call, arguments)
        loaded = builder.load(address, align=1)
        return loaded if element.width == WORD.width else builder.zext(loaded, VECTOR)

    return vector(array, at), build


@intrinsic
def store(_context, array, at, values):
    """Put `values`, or as many of their bits as fit, to the elements [at, at + 8) of a flat array of whole numbers."""

    def build(context, builder, call, arguments):
        address, element = _place(context, builder, call, arguments)
        values = arguments[2]
        if element.width < WORD.width:
            values = builder.trunc(values, ir.VectorType(element, WIDTH))
        builder.store(values, address, align=1)
        return context.get_dummy_value()

    return numba.types.none(array, at, values), build


def _shuffled(builder, a, b, places):
    return builder.shuffle_vector(a, b, ir.Constant(VECTOR, places))


_UNPACKED = (0, 8, 1, 9, 4, 12, 5, 13), (2, 10, 3, 11, 6, 14, 7, 15)
_UNPACKED_PAIRS = (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15)
_HALVES = (0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)


def _transposed(builder, rows):
    """The eight columns of eight vectors: three rounds of shuffles, each an instruction."""
    a = [_shuffled(builder, rows[i], rows[i + 1], places) for i in range(0, WIDTH, 2) for places in _UNPACKED]
    b = [_shuffled(builder, a[i], a[i + 2], places) for i in (0, 1, 4, 5) for places in _UNPACKED_PAIRS]
    return [_shuffled(builder, b[i], b[i + 4], places) for places in _HALVES for i in range(WIDTH // 2)]


@intrinsic
def deal(_context, array, at, out, first, step):
    """Deal elements [at, at + 64) of a flat array of uint8 out to eight runs of `out`, `step` apart from `first` on.

    Element 8 i + j becomes element i of run j. The bits of all elements of each run come back together.
    """
    from_array, to_out = (numba.types.none(kind, numba.types.intp) for kind in (array, out))

    def build(context, builder, call, arguments):
        place, target, further = (
            context.cast(builder, arguments[i], call.args[i], numba.types.intp) for i in (1, 3, 4)
        )
        rows = []
        for row in range(WIDTH):
            at_row = builder.add(place, ir.Constant(place.type, row * WIDTH))
            address, _ = _place(context, builder, from_array, (arguments[0], at_row))
            rows.append(builder.zext(builder.load(address, align=1), VECTOR))
        for column in _transposed(builder, rows):
            address, element = _place(context, builder, to_out, (arguments[2], target))
            builder.store(builder.zext(column, ir.VectorType(element, WIDTH)), address, align=1)
            target = builder.add(target, further)
        return reduce(builder.or_, rows)

    return vector(array, at, out, first, step), build


@intrinsic
def mix(_context, array, at, step, shift, out, first):
    """Put eight runs of eight elements of a flat array, at least 0 and `step` apart from `at` on, to 64 of `out`.

    Element i of run j becomes element 8 i + j from `first` on, an uint8, less its lowest `shift` bits; 255 if it is
    larger. The bits of all elements of each run come back together.
    """
    from_array, to_out = (numba.types.none(kind, numba.types.intp) for kind in (array, out))

    def build(context, builder, call, arguments):
        place, further, target = (
            context.cast(builder, arguments[i], call.args[i], numba.types.intp) for i in (1, 2, 5)
        )
        rows = []
        for _ in range(WIDTH):
            address, element = _place(context, builder, from_array, (arguments[0], place))
            kind = ir.VectorType(element, WIDTH)
            less = context.cast(builder, arguments[3], call.args[3], call.args[0].dtype)
            left = builder.lshr(builder.load(address, align=1), repeated(builder, less, kind))
            most = ir.Constant(kind, [255] * WIDTH)
            left = builder.select(builder.icmp_unsigned("<", left, most), left, most)
            rows.append(left if element.width == WORD.width else builder.trunc(left, VECTOR))
            place = builder.add(place, further)
        columns = _transposed(builder, rows)
        for column, values in enumerate(columns):
            at_column = builder.add(target, ir.Constant(target.type, column * WIDTH))
            address, element = _place(context, builder, to_out, (arguments[4], at_column))
            builder.store(builder.trunc(values, ir.VectorType(element, WIDTH)), address, align=1)
        return reduce(builder.or_, columns)

    return vector(array, at, step, shift, out, first), build


class _Addresses(ir.instructions.Instruction):  # type: ignore[misc]
    """The addresses of several elements of an array, an instruction that llvmlite cannot make itself."""

    def __init__(self, block: ir.Block, base: ir.Value, element: ir.Type, indices: ir.Value) -> None:
        super().__init__(block, ir.VectorType(WORD.as_pointer(), WIDTH), "getelementptr", [base, indices])
        self._element = element

    def descr(self, buffer):
        base, indices = self.operands
        places = f"{base.type} {base.get_reference()}, {indices.type} {indices.get_reference()}"
        buffer.append(f"getelementptr {self._element}, {places}\n")


def _gathered(builder, data, element, indices, kind):
    """The vector of type `kind` of what begins at some elements, of type `element`, of the array at `data`."""
    addresses = _Addresses(builder.block, data, element, indices)
    builder._insert(addresses)  # noqa: SLF001 - there is no other way to add an instruction of one's own
    function_kind = ir.FunctionType(kind, [addresses.type, WORD, TRUTHS, kind])
    name = f"llvm.masked.gather.v{WIDTH}i{kind.element.width}.v{WIDTH}p0"
    function = cgutils.get_or_insert_function(builder.module, function_kind, name)
    everywhere, nothing = ir.Constant(TRUTHS, [1] * WIDTH), ir.Constant(kind, ir.Undefined)
    return builder.call(function, [addresses, ir.Constant(WORD, element.width // 8), everywhere, nothing])


@intrinsic
def gather(_context, array, indices):
    """The four bytes, as uint32, from each of eight elements on, of a flat array of uint8 or uint32; below 2^31."""

    def build(context, builder, call, arguments):
        element = context.get_data_type(call.args[0].dtype)
        array = context.make_array(call.args[0])(context, builder, arguments[0])
        _require_all_inside(context, builder, array, arguments[1], WORD.width // element.width)
        return _gathered(builder, array.data, element, arguments[1], VECTOR)

    return vector(array, indices), build


@intrinsic
def scaled(_context, values, factors, indices, bits):
    """`values` times those of the `factors`, a flat array of uint64, at `indices`, without the lowest `bits` bits."""

    def build(context, builder, call, arguments):
        array = context.make_array(call.args[1])(context, builder, arguments[1])
        _require_all_inside(context, builder, array, arguments[2], 1)
        gathered = _gathered(builder, array.data, LONGS.element, arguments[2], LONGS)
        shift = context.cast(builder, arguments[3], call.args[3], numba.types.uint64)
        product = builder.mul(builder.zext(arguments[0], LONGS), gathered)
        return builder.trunc(builder.lshr(product, repeated(builder, shift, LONGS)), VECTOR)

    return vector(values, factors, indices, bits), build


@intrinsic
def scatter(_context, array, indices, values):
    """Put as many bits of `values` as fit to elements of a flat array of whole numbers; below 2^31."""

    def build(context, builder, call, arguments):
        element = context.get_data_type(call.args[0].dtype)
        array = context.make_array(call.args[0])(context, builder, arguments[0])
        _require_all_inside(context, builder, array, arguments[1], 1)
        for one in range(WIDTH):
            at = ir.Constant(WORD, one)
            index = builder.zext(builder.extract_element(arguments[1], at), ir.IntType(64))
            value = builder.trunc(builder.extract_element(arguments[2], at), element)
            builder.store(value, builder.gep(array.data, [index]))
        return context.get_dummy_value()

    return numba.types.none(array, indices, values), build
