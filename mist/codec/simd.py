"""Eight 32-bit numbers worked on together: a vector type for compiled code, since numba has none.

The rule: an operation here is one of the processor's on all eight numbers, or what LLVM makes of it where the processor
has none; nothing knows what the numbers mean. `+ - * & | << >>` work between vectors and with whole numbers, and wrap;
`<` and `==` give all bits set where true.
"""

from __future__ import annotations

import operator
from typing import Final

import numba
from llvmlite import ir
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

WIDTH: Final = 8
"""Numbers in a vector."""

_BIT, _BYTE, WORD = ir.IntType(1), ir.IntType(8), ir.IntType(32)
VECTOR = ir.VectorType(WORD, WIDTH)
LONGS = ir.VectorType(ir.IntType(64), WIDTH)
TRUTHS = ir.VectorType(_BIT, WIDTH)


class _Vector(numba.types.Type):
    """The numba type of a vector of uint32."""

    def __init__(self) -> None:
        super().__init__(name=f"uint32x{WIDTH}")


vector: Final = _Vector()


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    """A vector is a vector register."""

    def __init__(self, manager: object, kind: object) -> None:
        super().__init__(manager, kind, VECTOR)


def repeated(builder, number, kind=VECTOR):
    """A vector of eight times `number`."""
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), number, ir.Constant(WORD, 0))
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), ir.Constant(VECTOR, [0] * WIDTH))


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
        return build(builder, *(value if kind == vector else repeated(builder, value) for value, kind in pairs))

    for kinds in ((vector, vector), (vector, numba.types.uint32), (numba.types.uint32, vector)):
        lower_builtin(function, *kinds)(lower)


def _is_whole(kind):
    return isinstance(kind, numba.types.Integer)


def _comparison(relation):
    return lambda builder, a, b: builder.sext(builder.icmp_unsigned(relation, a, b), VECTOR)


_define(operator.add, ir.IRBuilder.add)
_define(operator.sub, ir.IRBuilder.sub)
_define(operator.mul, ir.IRBuilder.mul)
_define(operator.and_, ir.IRBuilder.and_)
_define(operator.or_, ir.IRBuilder.or_)
_define(operator.lshift, ir.IRBuilder.shl)
_define(operator.rshift, ir.IRBuilder.lshr)
_define(operator.lt, _comparison("<"))
_define(operator.eq, _comparison("=="))


@intrinsic
def choose(_context, where, a, b):
    """`a` where all bits of `where` are set, `b` where none is."""

    def build(_context, builder, _call, arguments):
        truths = builder.icmp_unsigned("!=", arguments[0], ir.Constant(VECTOR, [0] * WIDTH))
        return builder.select(truths, arguments[1], arguments[2])

    return vector(where, a, b), build


@intrinsic
def any_of(_context, where):
    """Whether any bit of a vector is set."""

    def build(_context, builder, _call, arguments):
        truths = builder.icmp_unsigned("!=", arguments[0], ir.Constant(VECTOR, [0] * WIDTH))
        return builder.icmp_unsigned("!=", builder.bitcast(truths, _BYTE), ir.Constant(_BYTE, 0))

    return numba.types.boolean(where), build


@intrinsic
def float_bits(_context, values):
    """The bit patterns of `values`, below 2^24, as float32."""

    def build(_context, builder, _call, arguments):
        floats = builder.sitofp(arguments[0], ir.VectorType(ir.FloatType(), WIDTH))
        return builder.bitcast(floats, VECTOR)

    return vector(values), build
