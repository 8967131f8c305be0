"""Reads the pickles of `torch.save` within limits. No function that a pickle names is called.

A pickle is a program for a machine with a stack
(https://docs.python.org/3/library/pickletools.html). This machine knows only the opcodes that
`torch.load(weights_only=True)` knows, less those for objects. It makes plain values and the
descriptions of tensors, and refuses everything else. Each opcode takes little time and memory, and
their number is limited.
"""

from __future__ import annotations

import pickle
import struct
from typing import TYPE_CHECKING, Any, BinaryIO

from netbuild.diagnostics.exceptions import ForeignError, WeightsError
from netbuild.diagnostics.wording import brief
from netbuild.runs.stored import KNOWN, Storage, Type, put

if TYPE_CHECKING:
    from collections.abc import Callable

#: The greatest length of all strings together, in bytes.
MAX_TEXT = 32_000_000
#: The longest name of a function or of a storage.
_MAX_NAME = 200
#: The greatest number of mappings, lists and tuples that are begun and not ended.
_MAX_MARKS = 1_000
#: The greatest number of arguments of a function.
_MAX_ARGUMENTS = 8

_UNSIGNED = struct.Struct("<I").unpack


class Machine:
    """Carries out the opcodes of pickles in a file, one pickle after the other."""

    def __init__(self, file: BinaryIO, most: int, *, old: bool = False) -> None:
        self.most, self.old = most, old  # opcodes; before torch 1.6
        self.read, self.readline = file.read, file.readline
        self.left = MAX_TEXT
        self.spent = 0  # opcodes
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []  # the stacks below the marks
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}

    def load(self) -> Any:
        """Return the value of the next pickle.

        Raises:
            WeightsError: the pickle is damaged or too large, or holds anything but plain values
                and tensors.
        """
        read, steps = self.read, _STEPS
        self.stack, self.outer, self.memo = [], [], {}
        try:
            for number in range(self.most - self.spent):
                code = read(1)
                step = steps.get(code)
                if step is not None:
                    step(self)
                elif code == pickle.STOP:
                    self.spent += number
                    return self.stack.pop()
                else:
                    raise _unknown(code)
        except (IndexError, KeyError, UnicodeDecodeError, struct.error) as error:
            raise _damaged() from error
        raise self.too_long()

    def spend(self, opcodes: int) -> None:
        """Count an opcode that takes as long as several."""
        self.spent += opcodes
        if self.spent > self.most:
            raise self.too_long()

    def too_long(self) -> WeightsError:
        """Return the error of a pickle that takes too long."""
        return WeightsError(f"its pickle has more opcodes than the {self.most:,} that are read")

    def text(self, length: int, encoding: str) -> str:
        """Return the next bytes as text."""
        self.left -= length
        if self.left < 0:
            raise _damaged()
        data = self.read(length)
        if len(data) < length:
            raise _damaged()
        return data.decode(encoding)

    def line(self) -> str:
        """Return the next line, without its end."""
        line = self.readline(_MAX_NAME)
        if line[-1:] != b"\n":
            raise _damaged()
        return line[:-1].decode()

    def since_mark(self) -> list[Any]:
        """Return the values since the last mark, and take them and the mark off the stack."""
        values, self.stack = self.stack, self.outer.pop()
        return values


def _damaged() -> WeightsError:
    return WeightsError("it is damaged: its pickle breaks off, or is none")


def _unknown(code: bytes) -> WeightsError:
    if not code:
        return _damaged()
    return WeightsError(f"its pickle has the opcode {ascii(code)[1:]}, which torch.load refuses")


# The steps, each of one opcode or of a few.


def _protocol(machine: Machine) -> None:
    number = machine.read(1)[0]
    if number != 2:
        raise WeightsError(f"it is a pickle of protocol {number}; torch.load reads only protocol 2")


def _mark(machine: Machine) -> None:
    if len(machine.outer) >= _MAX_MARKS:
        raise _damaged()
    machine.outer.append(machine.stack)
    machine.stack = []


def _put(machine: Machine) -> None:
    machine.memo[machine.read(1)[0]] = machine.stack[-1]


def _long_put(machine: Machine) -> None:
    (index,) = _UNSIGNED(machine.read(4))
    if index > machine.most:
        raise _damaged()
    machine.memo[index] = machine.stack[-1]


def _get(machine: Machine) -> None:
    machine.stack.append(machine.memo[machine.read(1)[0]])


def _long_get(machine: Machine) -> None:
    machine.stack.append(machine.memo[_UNSIGNED(machine.read(4))[0]])


def _byte(machine: Machine) -> None:
    machine.stack.append(machine.read(1)[0])


def _number(form: str) -> Callable[[Machine], None]:
    unpack, size = struct.Struct(form).unpack, struct.calcsize(form)

    def step(machine: Machine) -> None:
        machine.stack += unpack(machine.read(size))

    return step


def _long(machine: Machine) -> None:
    length = machine.read(1)[0]
    data = machine.read(length)
    if len(data) < length:
        raise _damaged()
    machine.stack.append(int.from_bytes(data, "little", signed=True))


def _text(machine: Machine) -> None:
    (length,) = _UNSIGNED(machine.read(4))
    machine.stack.append(machine.text(length, "utf-8"))


def _short_text(machine: Machine) -> None:
    machine.stack.append(machine.text(machine.read(1)[0], "ascii"))


def _constant(value: Any) -> Callable[[Machine], None]:
    return lambda machine: machine.stack.append(value)


def _empty(type_: Callable[[], Any]) -> Callable[[Machine], None]:
    return lambda machine: machine.stack.append(type_())


def _tuple(machine: Machine) -> None:
    values, machine.stack = tuple(machine.stack), machine.outer.pop()
    machine.stack.append(values)


def _tuple_of(count: int) -> Callable[[Machine], None]:
    def step(machine: Machine) -> None:
        if len(machine.stack) < count:
            raise _damaged()
        machine.stack[-count:] = [tuple(machine.stack[-count:])]

    return step


def _append(machine: Machine) -> None:
    value = machine.stack.pop()
    _extended(machine.stack[-1], [value])


def _appends(machine: Machine) -> None:
    values = machine.since_mark()
    _extended(machine.stack[-1], values)


def _extended(held: Any, values: list[Any]) -> None:
    if type(held) is not list:
        raise _damaged()
    held.extend(values)


def _set_item(machine: Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _set(machine.stack[-1], [key, value])


def _set_items(machine: Machine) -> None:
    values = machine.since_mark()
    _set(machine.stack[-1], values)


def _set(held: Any, values: list[Any]) -> None:
    if type(held) is not dict or len(values) % 2:
        raise _damaged()
    pairs = iter(values)
    for key, value in zip(pairs, pairs, strict=True):
        put(held, key, value)


def _global(machine: Machine) -> None:
    module, name = machine.line(), machine.line()
    known = KNOWN.get((module, name))
    if known is None:
        said = f"{module}.{name}"
        said = brief(said if said.isprintable() else ascii(said), 60)
        raise ForeignError(f"it holds a {said}")
    machine.stack.append(known)


def _call(machine: Machine) -> None:
    given, function = machine.stack.pop(), machine.stack.pop()
    if not callable(function) or type(given) is not tuple or len(given) > _MAX_ARGUMENTS:
        raise _damaged()
    machine.spend(10 + 4 * sum(len(value) for value in given if type(value) in {tuple, list}))
    try:
        machine.stack.append(function(*given))
    except TypeError as error:  # too few arguments, or too many
        raise _damaged() from error


def _build(machine: Machine) -> None:
    """Take the attribute `_metadata` of a `state_dict()` off the stack; it is not needed."""
    state = machine.stack.pop()
    whole = type(machine.stack[-1]) is type(state) is dict and state.keys() <= {"_metadata"}
    if not whole:
        raise WeightsError("it has an attribute that a state_dict() does not have")


def _storage(machine: Machine) -> None:
    """Replace the description of a storage: its type, its key, its place and its number of values.

    Before torch 1.6 a sixth entry named a view of a storage.
    """
    saved = machine.stack.pop()
    if type(saved) is not tuple or len(saved) != (6 if machine.old else 5):
        raise _damaged()
    kind, type_, key, place, count = saved[:5]
    whole = kind == "storage" and type(type_) is Type and type(key) is type(place) is str
    if not whole or len(key) > _MAX_NAME or (machine.old and saved[5] is not None):
        raise _damaged()
    if type(count) is not int or not 0 <= count < 1 << 59:
        raise _damaged()
    storage = Storage(key, type_, count)
    if machine.storages.setdefault(key, storage) != storage:
        raise WeightsError("it is damaged: one storage has two sizes")
    machine.stack.append(storage)


_STEPS: dict[bytes, Callable[[Machine], None]] = {
    pickle.PROTO: _protocol,
    pickle.MARK: _mark,
    pickle.BINPUT: _put,
    pickle.LONG_BINPUT: _long_put,
    pickle.BINGET: _get,
    pickle.LONG_BINGET: _long_get,
    pickle.BININT: _number("<i"),
    pickle.BININT1: _byte,
    pickle.BININT2: _number("<H"),
    pickle.BINFLOAT: _number(">d"),
    pickle.LONG1: _long,
    pickle.BINUNICODE: _text,
    pickle.SHORT_BINSTRING: _short_text,
    pickle.NONE: _constant(None),
    pickle.NEWTRUE: _constant(True),
    pickle.NEWFALSE: _constant(False),
    pickle.EMPTY_TUPLE: _constant(()),
    pickle.EMPTY_LIST: _empty(list),
    pickle.EMPTY_DICT: _empty(dict),
    pickle.TUPLE: _tuple,
    pickle.TUPLE1: _tuple_of(1),
    pickle.TUPLE2: _tuple_of(2),
    pickle.TUPLE3: _tuple_of(3),
    pickle.APPEND: _append,
    pickle.APPENDS: _appends,
    pickle.SETITEM: _set_item,
    pickle.SETITEMS: _set_items,
    pickle.GLOBAL: _global,
    pickle.REDUCE: _call,
    pickle.BUILD: _build,
    pickle.BINPERSID: _storage,
}
