"""The arithmetic of the scalar bodies as single instructions of the GPU."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import cuda
from numba.cuda import types
from numba.cuda.extending import intrinsic

CUDA: Any = cuda
IR: Any = ir
TYPES: Any = types
WIDTHS = {TYPES.float32: TYPES.int32, TYPES.float64: TYPES.int64}


def _single(kind: Any) -> bool:
    return bool(kind == IR.FloatType())


def _arithmetic(single: str, double: str) -> Any:
    """A function of numbers of one type: an LLVM intrinsic or a function of libdevice for each width."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = arguments[0].type
        name, module = single if _single(kind) else double, builder.module
        function = module.globals.get(name)
        if function is None:
            signature = IR.FunctionType(kind, [kind] * len(arguments))
            function = IR.Function(module, signature, name)
        return builder.call(function, arguments)

    return generate


def _unary(single: str, double: str) -> Any:
    def function(context: Any, x: Any) -> Any:
        return (x(x), _arithmetic(single, double)) if x in WIDTHS else None

    return intrinsic(function)


def _binary(single: str, double: str) -> Any:
    def function(context: Any, a: Any, b: Any) -> Any:
        return (a(a, b), _arithmetic(single, double)) if a in WIDTHS and a == b else None

    return intrinsic(function)


def _ternary(single: str, double: str) -> Any:
    def function(context: Any, a: Any, b: Any, c: Any) -> Any:
        known = a in WIDTHS and a == b == c
        return (a(a, b, c), _arithmetic(single, double)) if known else None

    return intrinsic(function)


def _reinterpreted(pairs: dict[Any, Any]) -> Any:
    """A function that reads the bits of a number as another type of the same width."""

    def function(context: Any, x: Any) -> Any:
        def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], target.get_value_type(signature.return_type))

        return (pairs[x](x), generate) if x in pairs else None

    return intrinsic(function)


INSTRUCTIONS: dict[str, Any] = {
    "mul": _binary("llvm.nvvm.mul.rn.f", "llvm.nvvm.mul.rn.d"),
    "add": _binary("llvm.nvvm.add.rn.f", "llvm.nvvm.add.rn.d"),
    "product_sum": _ternary("llvm.nvvm.fma.rn.f", "llvm.nvvm.fma.rn.d"),
    "whole": _unary("__nv_rintf", "__nv_rint"),
    "floor": _unary("__nv_floorf", "__nv_floor"),
    "root": _unary("__nv_fsqrt_rn", "__nv_dsqrt_rn"),
    "bits": _reinterpreted(WIDTHS),
    "number": _reinterpreted({integer: real for real, integer in WIDTHS.items()}),
}
"""``mul`` and ``add`` demand operands of one type: a literal that was promoted does not compile."""
