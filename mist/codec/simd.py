"""Eight 32-bit numbers worked on together: a vector type for compiled code, since numba has none.

The rule: an operation here is one of the processor's on all eight numbers, or what LLVM makes of it where the processor
has none; nothing knows what the numbers mean. `+ - * & | << >>` work between vectors and with whole numbers, and wrap;
`<` and `==` give all bits set where true. As in all compiled code, whoever loads, stores or gathers keeps inside the
array; `NUMBA_BOUNDSCHECK=1` checks it.
"""

from __future__ import annotations

import operator
from functools import reduce
from typing import Final

import numba
from llvmlite import ir
from numba.core import cgutils, config
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

WIDTH: Final = 8
"""Numbers in a vector."""

_BIT, _BYTE, _WORD = ir.IntType(1), ir.IntType(8), ir.IntType(32)
_VECTOR = ir.VectorType(_WORD, WIDTH)
_TRUTHS = ir.VectorType(_BIT, WIDTH)


class _Vector(numba.types.Type):
    """The numba type of a vector of uint32."""

    def __init__(self) -> None:
        super().__init__(name=f"uint32x{WIDTH}")


vector: Final = _Vector()


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    """A vector is a vector register."""

    def __init__(self, manager: object, kind: object) -> None:
        super().__init__(manager, kind, _VECTOR)


def _all(builder, number):
    """A vector of eight times `number`."""
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, ir.Constant(_WORD, 0))
    return builder.shuffle_vector(one, ir.Constant(_VECTOR, ir.Undefined), ir.Constant(_VECTOR, [0] * WIDTH))


def _define(function, build):
    """Make `function`, an operator, work between vectors and with whole numbers, by the instructions of `build`."""

    @infer_global(function)
    class _Template(AbstractTemplate):
        def generic(self, arguments, _keywords):
            if vector not in arguments or not all(one == vector or _is_whole(one) for one in arguments):
                return None
            return signature(vector, *(vector if one == vector else numba.types.uint32 for one in arguments))

    def lower(_context, builder, call, arguments):
        pairs = zip(arguments, call.args, strict=True)
        return build(builder, *(value if kind == vector else _all(builder, value) for value, kind in pairs))

    for kinds in ((vector, vector), (vector, numba.types.uint32), (numba.types.uint32, vector)):
        lower_builtin(function, *kinds)(lower)


def _is_whole(kind):
    return isinstance(kind, numba.types.Integer)


def _comparison(relation):
    return lambda builder, a, b: builder.sext(builder.icmp_unsigned(relation, a, b), _VECTOR)


_define(operator.add, ir.IRBuilder.add)
_define(operator.sub, ir.IRBuilder.sub)
_define(operator.mul, ir.IRBuilder.mul)
_define(operator.and_, ir.IRBuilder.and_)
_define(operator.or_, ir.IRBuilder.or_)
_define(operator.lshift, ir.IRBuilder.shl)
_define(operator.rshift, ir.IRBuilder.lshr)
_define(operator.lt, _comparison("<"))
_define(operator.eq, _comparison("=="))


def _require_inside(context, builder, array, first, count):
    """Raise IndexError where `count` elements from `first` on are not in `array`, if numba is to check such things."""
    if config.BOUNDSCHECK:
        (length,) = cgutils.unpack_tuple(builder, array.shape, 1)
        for place in (first, builder.add(first, ir.Constant(first.type, count - 1))):
            cgutils.do_boundscheck(context, builder, place, length)


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
        return loaded if element.width == _WORD.width else builder.zext(loaded, _VECTOR)

    return vector(array, at), build


@intrinsic
def store(_context, array, at, values):
    """Put `values`, or as many of their bits as fit, to the elements [at, at + 8) of a flat array of whole numbers."""

    def build(context, builder, call, arguments):
        address, element = _place(context, builder, call, arguments)
        values = arguments[2]
        if element.width < _WORD.width:
            values = builder.trunc(values, ir.VectorType(element, WIDTH))
        builder.store(values, address, align=1)
        return context.get_dummy_value()

    return numba.types.none(array, at, values), build


def _shuffled(builder, a, b, places):
    return builder.shuffle_vector(a, b, ir.Constant(_VECTOR, places))


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
            rows.append(builder.zext(builder.load(address, align=1), _VECTOR))
        for column in _transposed(builder, rows):
            address, element = _place(context, builder, to_out, (arguments[2], target))
            builder.store(builder.zext(column, ir.VectorType(element, WIDTH)), address, align=1)
            target = builder.add(target, further)
        return reduce(builder.or_, rows)

    return vector(array, at, out, first, step), build


class _Addresses(ir.instructions.Instruction):  # type: ignore[misc]
    """The addresses of several elements of an array, an instruction that llvmlite cannot make itself."""

    def __init__(self, block: ir.Block, base: ir.Value, element: ir.Type, indices: ir.Value) -> None:
        super().__init__(block, ir.VectorType(_WORD.as_pointer(), WIDTH), "getelementptr", [base, indices])
        self._element = element

    def descr(self, buffer):
        base, indices = self.operands
        places = f"{base.type} {base.get_reference()}, {indices.type} {indices.get_reference()}"
        buffer.append(f"getelementptr {self._element}, {places}\n")


@intrinsic
def gather(_context, array, indices):
    """The four bytes, as uint32, from each of eight elements on, of a flat array of uint8 or uint32; below 2^31."""

    def build(context, builder, call, arguments):
        element = context.get_data_type(call.args[0].dtype)
        array = context.make_array(call.args[0])(context, builder, arguments[0])
        for one in range(WIDTH):
            index = builder.zext(builder.extract_element(arguments[1], ir.Constant(_WORD, one)), ir.IntType(64))
            _require_inside(context, builder, array, index, _WORD.width // element.width)
        addresses = _Addresses(builder.block, array.data, element, arguments[1])
        builder._insert(addresses)  # noqa: SLF001 - there is no other way to add an instruction of one's own
        kind = ir.FunctionType(_VECTOR, [addresses.type, _WORD, _TRUTHS, _VECTOR])
        name = f"llvm.masked.gather.v{WIDTH}i32.v{WIDTH}p0"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        everywhere, nothing = ir.Constant(_TRUTHS, [1] * WIDTH), ir.Constant(_VECTOR, ir.Undefined)
        return builder.call(function, [addresses, ir.Constant(_WORD, element.width // 8), everywhere, nothing])

    return vector(array, indices), build


@intrinsic
def choose(_context, where, a, b):
    """`a` where all bits of `where` are set, `b` where none is."""

    def build(_context, builder, _call, arguments):
        truths = builder.icmp_unsigned("!=", arguments[0], ir.Constant(_VECTOR, [0] * WIDTH))
        return builder.select(truths, arguments[1], arguments[2])

    return vector(where, a, b), build


@intrinsic
def any_of(_context, where):
    """Whether any bit of a vector is set."""

    def build(_context, builder, _call, arguments):
        truths = builder.icmp_unsigned("!=", arguments[0], ir.Constant(_VECTOR, [0] * WIDTH))
        return builder.icmp_unsigned("!=", builder.bitcast(truths, _BYTE), ir.Constant(_BYTE, 0))

    return numba.types.boolean(where), build


@intrinsic
def float_bits(_context, values):
    """The bit patterns of `values`, below 2^24, as float32."""

    def build(_context, builder, _call, arguments):
        floats = builder.sitofp(arguments[0], ir.VectorType(ir.FloatType(), WIDTH))
        return builder.bitcast(floats, _VECTOR)

    return vector(values), build
