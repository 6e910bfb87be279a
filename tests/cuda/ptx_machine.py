"""A machine that runs PTX, an instruction at a time: enough of it for the kernels, with IEEE arithmetic from NumPy.

It shows what the simulator cannot: what the compiled code computes, with the types and widths that the compiler chose.
Reads and writes outside of an array are errors, and new memory is full of rubbish. Threads of a block run one after the
other, from barrier to barrier.
"""

from __future__ import annotations

import operator
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Registers = dict[str, Any]
Step = Callable[[Registers], int | None]
"""Returns where to go on, None for the next instruction."""
BARRIER, EXIT = -1, -2
FLOATS = {"f32": np.float32, "f64": np.float64}
FORMATS = {"u8": "B", "u16": "H", "u32": "I", "s32": "I", "u64": "Q", "s64": "Q"}
BUFFER = 40
"""Bits of an address within one piece of memory."""
LINE = re.compile(r"(?:@(!?)(%p\d+)\s+)?([a-z][\w.]*)\s*(.*?);")
ATOM = re.compile(r"\{[^}]*\}|\[[^\]]*\]|[^,\s]+")


class Memory:
    """All memory of a launch: arrays, and what blocks and threads have of their own."""

    def __init__(self) -> None:
        self.buffers: list[Any] = [b""]

    def add(self, buffer: Any) -> int:
        """The address of a new piece of memory."""
        self.buffers.append(buffer)
        return (len(self.buffers) - 1) << BUFFER

    def place(self, address: int, size: int) -> tuple[Any, int]:
        """Buffer and offset of an address."""
        number, offset = address >> BUFFER, address & ((1 << BUFFER) - 1)
        if not 0 < number < len(self.buffers) or offset + size > len(self.buffers[number]):
            raise IndexError(f"{size} bytes at {address:#x} are outside of the memory")
        if offset % size:
            raise IndexError(f"{size} bytes at {address:#x} are not aligned")
        return self.buffers[number], offset

    def read(self, address: int, kind: str) -> Any:
        if kind in FLOATS:
            T = FLOATS[kind]
            buffer, offset = self.place(address, np.dtype(T).itemsize)
            return np.frombuffer(buffer, T, 1, offset)[0]
        code = FORMATS[kind]
        buffer, offset = self.place(address, struct.calcsize(code))
        return struct.unpack_from(code, buffer, offset)[0]

    def write(self, address: int, kind: str, value: Any) -> None:
        if kind in FLOATS:
            T = FLOATS[kind]
            buffer, offset = self.place(address, np.dtype(T).itemsize)
            buffer[offset : offset + np.dtype(T).itemsize] = T(value).tobytes()
        else:
            code = FORMATS[kind]
            size = struct.calcsize(code)
            buffer, offset = self.place(address, size)
            struct.pack_into(code, buffer, offset, value & ((1 << 8 * size) - 1))


def width(kind: str) -> int:
    """Bits of an integer type."""
    return int(kind[1:])


def signed(value: int, bits: int) -> int:
    """An integer from its bits."""
    return value - (1 << bits) if value >> (bits - 1) else value


def quotient(a: int, b: int) -> int:
    """Quotient of integers, towards zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


INTEGER: dict[str, Callable[..., int]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul.lo": operator.mul,
    "div": quotient,
    "rem": lambda a, b: a - quotient(a, b) * b,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "not": operator.invert,
    "neg": operator.neg,
    "min": min,
    "max": max,
    "shl": lambda a, b: a << b if b < 64 else 0,
    "shr": lambda a, b: a >> min(b, 64),
}
FLOAT: dict[str, Callable[..., Any]] = {
    "add.rn": operator.add,
    "mul.rn": operator.mul,
    "mul": operator.mul,
    "div.rn": operator.truediv,
    "sqrt.rn": np.sqrt,
    "neg": operator.neg,
    "abs": abs,
    "min": np.fmin,
    "max": np.fmax,
    "fma.rn": lambda a, b, c: type(a)(np.float64(a) * np.float64(b) + np.float64(c)),
}
COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")
}


def comparison(name: str) -> Callable[[Any, Any], bool]:
    """A comparison of floats: ``lt`` is false for NaN, ``ltu`` is true."""
    if name in ("num", "nan"):
        return lambda a, b: bool((a == a and b == b) == (name == "num"))
    unordered = name.endswith("u")
    compare = COMPARED[name.removesuffix("u")]
    return lambda a, b: bool(compare(a, b)) if a == a and b == b else unordered


def converted(target: str, source: str, rounding: str, value: Any) -> Any:
    """What ``cvt`` makes of a number."""
    if rounding in ("rni", "rmi"):
        return (np.rint if rounding == "rni" else np.floor)(value)
    if target in FLOATS:
        number = value if source in FLOATS or source[0] == "u" else signed(value, width(source))
        return FLOATS[target](number)
    bits = width(target)
    if rounding == "rzi":
        edge = 1 << (bits - 1)
        cut = 0 if value != value else max(-edge, min(edge - 1, float(value)))
        return int(cut) & ((1 << bits) - 1)
    number = signed(value, width(source)) if source[0] == "s" else value
    return number & ((1 << bits) - 1)


def reinterpreted(name: str, value: Any) -> Any:
    """The bits of a value as the register has them."""
    wanted = {"%f": np.float32, "%fd": np.float64}.get(name.rstrip("0123456789"))
    if wanted is not None and not isinstance(value, np.floating):
        return np.array(value, f"u{np.dtype(wanted).itemsize}").view(wanted)[()]
    if wanted is None and isinstance(value, np.floating):
        return int(value.view(f"u{value.itemsize}"))
    return value


class Program:
    """A kernel in PTX, ready to run."""

    def __init__(self, ptx: str) -> None:
        head, _, rest = ptx.partition(".visible .entry ")
        self.shared = dict(re.findall(r"\.shared .*?\.b8 (\w+)\[(\d+)\]", head))
        body = rest[rest.index("{") + 1 : rest.rindex("}")]
        self.local = dict(re.findall(r"\.local .*?\.b8\s+(\w+)\[(\d+)\]", body))
        self.memory = Memory()
        self.labels: dict[str, int] = {}
        lines: list[Any] = []
        for text in map(str.strip, body.splitlines()):
            if text.endswith(":"):
                self.labels[text[:-1]] = len(lines)
            elif found := LINE.match(text):
                lines.append(found.groups())
        self.steps = [self._step(*line) for line in lines]

    def _value(self, text: str, kind: str) -> Callable[[Registers], Any]:
        """An operand: a register, a symbol or a constant."""
        if text[0] == "%" or text[0] == "_":
            return operator.itemgetter(text)
        constant: Any
        if kind == "pred":
            constant = text != "0"
        elif text[:2] in ("0f", "0d"):
            T = np.float32 if text[1] == "f" else np.float64
            constant = np.frombuffer(bytes.fromhex(text[2:])[::-1], T)[0]
        else:
            constant = int(text, 0) & ((1 << (width(kind) if kind[1:].isdigit() else 64)) - 1)
        return lambda r: constant

    def _address(self, text: str) -> Callable[[Registers], int]:
        base, _, offset = text.strip("[]").partition("+")
        return lambda r: r[base] + int(offset or 0)

    def _step(self, inverted: str, guard: str | None, name: str, rest: str) -> Step:
        step = self._plain_step(name, ATOM.findall(rest))
        if guard is None:
            return step
        wanted = not inverted
        return lambda r: step(r) if r[guard] == wanted else None

    def _plain_step(self, name: str, atoms: Sequence[str]) -> Step:
        first, *parts = name.split(".")
        special = getattr(self, f"_{first}", None)
        if special is not None:
            made: Step = special(parts, atoms)
            return made
        return self._arithmetic(name, atoms)

    def _arithmetic(self, name: str, atoms: Sequence[str]) -> Step:
        operation, _, kind = name.rpartition(".")
        target, values = atoms[0], [self._value(atom, kind) for atom in atoms[1:]]
        if kind in FLOATS:
            compute = FLOAT[operation]
            return lambda r: r.__setitem__(target, compute(*[value(r) for value in values]))
        if kind == "pred":
            logic = {"and": operator.and_, "or": operator.or_, "xor": operator.xor}
            combine = logic.get(operation, operator.not_)
            return lambda r: r.__setitem__(target, combine(*[value(r) for value in values]))
        return self._integer(operation, kind, target, values)

    def _integer(self, operation: str, kind: str, target: str, values: Sequence[Any]) -> Step:
        bits, compute = width(kind), INTEGER[operation]
        mask, shift = (1 << bits) - 1, operation in ("shl", "shr")

        def step(r: Registers) -> None:
            given = [value(r) for value in values]
            if kind[0] == "s":
                given[:1] = [signed(given[0], bits)]
                if not shift:
                    given[1:] = [signed(n, bits) for n in given[1:]]
            r[target] = compute(*given) & mask

        return step

    def _mul(self, parts: Sequence[str], atoms: Sequence[str]) -> Step:
        if parts[0] != "wide":
            return self._arithmetic(".".join(("mul", *parts)), atoms)
        target, (a, b) = atoms[0], (self._value(atom, parts[1]) for atom in atoms[1:])
        return lambda r: r.__setitem__(
            target, (signed(a(r), 32) * signed(b(r), 32)) & ((1 << 64) - 1)
        )

    def _mov(self, parts: Sequence[str], atoms: Sequence[str]) -> Step:
        target, value = atoms[0], self._value(atoms[1], parts[0])
        return lambda r: r.__setitem__(target, reinterpreted(target, value(r)))

    def _cvta(self, parts: Sequence[str], atoms: Sequence[str]) -> Step:
        return self._mov(("u64",), atoms)

    def _cvt(self, parts: Sequence[str], atoms: Sequence[str]) -> Step:
        *rounding, wanted, source = parts
        value, how = self._value(atoms[1], source), "".join(rounding)
        return lambda r: r.__setitem__(atoms[0], converted(wanted, source, how, value(r)))

    def _selp(self, parts: Sequence[str], atoms: Sequence[str]) -> Step:
        target, guard = atoms[0], atoms[3]
        yes, no = (self._value(atom, parts[0]) for atom in atoms[1:3])
        return lambda r: r.__setitem__(target, yes(r) if r[guard] else no(r))

    def _setp(self, parts: Sequence[str], atoms: Sequence[str]) -> Step:
        name, kind = parts
        a, b = (self._value(atom, kind) for atom in atoms[1:])
        if kind in FLOATS:
            compare = comparison(name)
            return lambda r: r.__setitem__(atoms[0], compare(a(r), b(r)))
        plain, sign = COMPARED[name], kind[0] == "s"
        bits = width(kind)
        return lambda r: r.__setitem__(
            atoms[0],
            plain(signed(a(r), bits), signed(b(r), bits)) if sign else plain(a(r), b(r)),
        )

    def _ld(self, parts: Sequence[str], atoms: Sequence[str]) -> Step:
        if parts[0] == "param":
            number = "param" + atoms[1].strip("[]").rpartition("_param_")[2]
            return lambda r: r.__setitem__(atoms[0], r[number])
        address, kind = self._address(atoms[1]), parts[-1]
        return lambda r: r.__setitem__(atoms[0], self.memory.read(address(r), kind))

    def _st(self, parts: Sequence[str], atoms: Sequence[str]) -> Step:
        address, kind = self._address(atoms[0]), parts[-1]
        values = [self._value(text.strip(), kind) for text in atoms[1].strip("{}").split(",")]
        size = width(kind) // 8

        def step(r: Registers) -> None:
            for i, value in enumerate(values):
                self.memory.write(address(r) + i * size, kind, value(r))

        return step

    def _atom(self, parts: Sequence[str], atoms: Sequence[str]) -> Step:
        kind, address, value = parts[-1], self._address(atoms[1]), self._value(atoms[2], parts[-1])

        def step(r: Registers) -> None:
            r[atoms[0]] = self.memory.read(address(r), kind)
            self.memory.write(address(r), kind, r[atoms[0]] + value(r))

        return step

    def _bra(self, parts: Sequence[str], atoms: Sequence[str]) -> Step:
        return lambda r: self.labels[atoms[0]]

    def _bar(self, parts: Sequence[str], atoms: Sequence[str]) -> Step:
        return lambda r: BARRIER

    def _ret(self, parts: Sequence[str], atoms: Sequence[str]) -> Step:
        return lambda r: EXIT

    def run(self, blocks: tuple[int, int], threads: tuple[int, int], arguments: Any) -> None:
        """Runs all threads of all blocks."""
        memory = self.memory = Memory()
        common = {f"param{i}": value for i, value in enumerate(flattened(arguments, memory))}
        names = ("%nctaid.x", "%nctaid.y", "%ntid.x", "%ntid.y")
        common |= dict(zip(names, (*blocks, *threads), strict=True))
        kept = len(memory.buffers)
        for y, x in np.ndindex(blocks[1], blocks[0]):
            here = common | {"%ctaid.x": x, "%ctaid.y": y} | rubbish(self.shared, memory)
            self._run_block(
                [
                    here | {"%tid.x": i, "%tid.y": j} | rubbish(self.local, memory)
                    for j, i in np.ndindex(threads[1], threads[0])
                ]
            )
            del memory.buffers[kept:]

    def _run_block(self, threads: list[Registers]) -> None:
        waiting = [(registers, 0) for registers in threads]
        while waiting:
            waiting = [
                (r, at) for r, start in waiting if (at := self._run_thread(r, start)) != EXIT
            ]

    def _run_thread(self, r: Registers, at: int) -> int:
        """Runs a thread to the next barrier, and returns where it goes on."""
        steps = self.steps
        while True:
            to = steps[at](r)
            at += 1
            if to is not None:
                if to == EXIT:
                    return EXIT
                if to == BARRIER:
                    return at
                at = to


def rubbish(sizes: dict[str, str], memory: Memory) -> dict[str, int]:
    """Addresses of new pieces of memory."""
    return {name: memory.add(bytearray(b"\xa5" * int(size))) for name, size in sizes.items()}


def flattened(arguments: Any, memory: Memory) -> list[Any]:
    """The parameters of a kernel: an array is its owners, size, data, shape and strides."""
    found: list[Any] = []
    for value in arguments:
        if isinstance(value, tuple):
            found += flattened(value, memory)
        elif isinstance(value, np.ndarray):
            if value.size == 0:
                raise ValueError("an empty array has no address")
            address = memory.add(memoryview(value.reshape(-1)).cast("B"))
            found += [0, 0, value.size, value.itemsize, address, *value.shape, *value.strides]
        else:
            found.append(value if isinstance(value, np.floating) else int(value))
    return found
