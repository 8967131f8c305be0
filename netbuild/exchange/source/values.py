"""Values that stand for tensors while a layer's `run` is called: they record what it does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netbuild.exchange.source.text import (
    ATOM,
    Argument,
    Code,
    Group,
    Joined,
    Text,
    flat,
    listed,
    literal,
    power,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: The operators of Python by the functions that they stand for, with their precedence.
_OPERATORS = {
    "operator.add": ("+", 11),
    "operator.sub": ("-", 11),
    "operator.mul": ("*", 12),
    "operator.truediv": ("/", 12),
    "operator.mod": ("%", 12),
    "operator.pow": ("**", 14),
    "operator.and_": ("&", 9),
    "operator.or_": ("|", 7),
    "operator.eq": ("==", 6),
    "operator.ne": ("!=", 6),
    "operator.lt": ("<", 6),
    "operator.le": ("<=", 6),
    "operator.gt": (">", 6),
    "operator.ge": (">=", 6),
    "torch.add": ("+", 11),
    "torch.sub": ("-", 11),
    "torch.mul": ("*", 12),
    "torch.div": ("/", 12),
    "torch.matmul": ("@", 12),
}
_SIGNS = {"operator.neg": "-", "torch.neg": "-", "operator.invert": "~"}


@dataclass(eq=False)
class Step:
    """One call: of a module, a function or a method; or an item of a result."""

    kind: str
    name: str
    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] = field(default_factory=dict)
    #: The name of the layer in the file.
    hint: str = ""
    #: The part of the stack that makes the step.
    part: Any = None
    #: Whether a person gives it a line of its own: a stack, or a choice.
    alone: bool = False
    #: Whether its result needs a variable of its own, for its name would be lost.
    named: bool = False
    #: Whether the variable needs its type, for `x` says nothing.
    meant: bool = False
    #: Whether a line ends with it, as with an activation.
    ends: bool = False
    #: The number of its results, if it gives a tuple that is taken apart.
    count: int = 0
    #: How a loop calls its blocks, if the backward pass computes them again.
    how: str = ""

    @property
    def reads(self) -> list[Value]:
        """The values that it reads."""
        leaves = _leaves((self.arguments, tuple(self.keywords.values())))
        return [leaf for leaf in leaves if isinstance(leaf, Value)]

    @property
    def literals(self) -> list[Any]:
        """Everything else that it is given, in order."""
        leaves = _leaves((self.arguments, tuple(self.keywords.values())))
        return [leaf for leaf in leaves if not isinstance(leaf, Value)]

    @property
    def is_kept(self) -> bool:
        """Whether it stays although nothing reads its result."""
        return self.kind in {"module", "choice", "loop", "checkpoint"}


class Value:
    """The result of a step. Its methods record steps."""

    def __init__(self, recorder: Recorder, step: Step) -> None:
        self._recorder, self._step = recorder, step

    def __getitem__(self, index: Any) -> Value:
        return self._recorder.add("item", "", self, index)

    def __getattr__(self, name: str) -> Callable[..., Value]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *x, **keywords: self._recorder.add("method", name, self, *x, **keywords)


def step_of(value: Value) -> Step:
    """Return the step that makes a value."""
    return value._step  # noqa: SLF001  every name of a value is a method of a tensor


class Recorder:
    """The steps of a stack in their order."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.hint, self.part = "", ""

    def add(self, kind: str, name: str, *x: Any, **keywords: Any) -> Value:
        """Record a step, and return its result."""
        step = Step(kind, name, x, keywords, self.hint, self.part)
        self.steps.append(step)
        return Value(self, step)

    def call(self, name: str, *x: Any, **keywords: Any) -> Value:
        """Record the call of a function with a dotted name."""
        return self.add("function", name, *x, **keywords)


def code(step: Step, told: Callable[[Value], Code], given: list[Code]) -> Code:
    """Return the code of a step.

    `told` gives the code of a value, and `given` is the code of its literals in order.
    """
    texts = iter(given)

    def of(x: Any) -> Code:
        if isinstance(x, Value):
            return told(x)
        if isinstance(x, (tuple, list)):
            brackets = "()" if isinstance(x, tuple) else "[]"
            return listed(*map(of, x), brackets=brackets)
        return next(texts)

    arguments = [of(x) for x in step.arguments]
    keywords = tuple(Argument(of(x), f"{name}=") for name, x in step.keywords.items())
    if step.kind == "item":
        return Text(f"{_atom(arguments[0])}[{flat(arguments[1])}]")
    if step.kind == "method":
        base, *rest = arguments
        inside = (*map(Argument, rest), *_unkeyed(step, keywords))
        return Group(f"{_atom(base)}.{step.name}(", inside)
    if step.kind == "function":
        return _function(step.name, arguments, keywords)
    inside = (*map(Argument, arguments), *keywords)
    if step.kind == "checkpoint":
        how = () if step.name == "recomputed" else (Argument(Text("False"), "use_reentrant="),)
        return Group(f"{step.name}(", (*inside, *how))
    return Group(f"{step.name}(", inside)


#: Methods whose keywords a person leaves out: what they mean is clear by their place.
_BY_PLACE = {"expand": "size", "repeat": "repeats", "to": "dtype"}


def _unkeyed(step: Step, keywords: tuple[Argument, ...]) -> tuple[Argument, ...]:
    name = _BY_PLACE.get(step.name)
    if len(keywords) != 1 or keywords[0].prefix != f"{name}=":
        return keywords
    node = keywords[0].node
    return node.arguments if isinstance(node, Group) and node.head == "(" else (Argument(node),)


#: Functions that a person writes as methods, with the order of their arguments there.
_METHODS = {
    "torch.transpose": ("dim0", "dim1"),
    "torch.permute": ("dims",),
    "torch.reshape": ("shape",),
    "torch.squeeze": ("dim",),
    "torch.unsqueeze": ("dim",),
    "torch.mean": ("dim",),
    "torch.sum": ("dim",),
    "torch.amax": ("dim",),
    "torch.chunk": ("chunks",),
    "torch.select": ("dim", "index"),
    "torch.narrow": ("dim", "start", "length"),
}
#: Those whose argument is a list, and that a method takes one by one.
_SPREAD = {"dims", "shape"}


def is_operator(name: str) -> bool:
    """Whether a function is written as an operator."""
    return name in _OPERATORS or name in _SIGNS


def as_method(name: str) -> bool:
    """Whether a function of torch is written as a method."""
    return name in _METHODS


def _method(name: str, arguments: list[Code], keywords: tuple[Argument, ...]) -> Code:
    """Return the call of a function as a method of its first argument."""
    base, *rest = arguments
    inside = [*map(Argument, rest)]
    for number, keyword in enumerate(keywords):
        own = keyword.prefix[:-1]
        node = keyword.node
        if own in _SPREAD and isinstance(node, Group):
            inside += node.arguments
        elif _METHODS[name][number : number + 1] == (own,):
            inside.append(Argument(node))
        else:
            inside.append(keyword)
    return Group(f"{_atom(base)}.{name.removeprefix('torch.')}(", tuple(inside))


def _function(name: str, arguments: list[Code], keywords: tuple[Argument, ...]) -> Code:
    """Return the call of a function, as an operator if Python has one."""
    if name in _METHODS and arguments and not isinstance(arguments[0], Group | Joined):
        return _method(name, arguments, keywords)
    if name in _METHODS and arguments and len(flat(arguments[0])) < 50:
        return _method(name, arguments, keywords)
    if name in _OPERATORS and len(arguments) == 2 and not keywords:
        sign, strength = _OPERATORS[name]
        left, right = arguments
        rightmost = sign == "**"
        left = _within(left, strength + rightmost, comparing=strength == 6)
        right = _within(right, strength + (not rightmost), comparing=strength == 6)
        if isinstance(left, Joined) and left.power == strength and sign in {"+", "*"}:
            return Joined((*left.operands, right), (*left.operators, sign), strength)
        if sign == "**" and all(re.fullmatch(r"-?[\w.]+", flat(one)) for one in (left, right)):
            return Text(f"{flat(left)}**{flat(right)}", strength)  # as ruff writes short powers
        return Joined((left, right), (sign,), strength)
    if name in _SIGNS and len(arguments) == 1 and not keywords:
        return Text(f"{_SIGNS[name]}{flat(_within(arguments[0], 15))}", 13)
    name = name.replace("torch.nn.functional.", "F.")
    return Group(f"{name}(", (*map(Argument, arguments), *keywords))


def _within(node: Code, least: int, *, comparing: bool = False) -> Code:
    """Return an operand, in parentheses if it holds together less than its operator wants."""
    loose = power(node) < least or (comparing and power(node) == 6)
    return Text(f"({flat(node)})") if loose else node


def _atom(node: Code) -> str:
    return flat(_within(node, ATOM))


def _leaves(x: Any) -> Iterator[Any]:
    if isinstance(x, (tuple, list)):
        for one in x:
            yield from _leaves(one)
    else:
        yield x


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same for torch: 1 and true differ."""
    return type(one) is type(other) and bool(one == other)


class Name(str):
    """A literal that is written as it is, such as `torch.float32`."""

    __slots__ = ()


def plain(value: Any) -> Code:
    """Return the code of a literal."""
    return Text(str(value)) if isinstance(value, Name) else literal(value)
