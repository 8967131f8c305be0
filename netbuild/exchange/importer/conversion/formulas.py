"""Element-wise functions: what one statement computes is one item, an `Add` or a `Formula`."""

from __future__ import annotations

import ast
from math import inf, isinf, isnan
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.layers.elementwise.functions import FUNCTIONS
from netbuild.exchange.importer.conversion.layouts import Axes, Gap, Sym, renumbered
from netbuild.exchange.importer.recording.functions import name_of
from netbuild.exchange.importer.recording.merging import Fixed, Times, Varying
from netbuild.exchange.importer.recording.recording import Ref

if TYPE_CHECKING:
    from netbuild.exchange.importer.conversion.context import Context
    from netbuild.exchange.importer.recording.recording import Call

#: Torch's names of the operators, by Python's node.
_BINARY: dict[str, type[ast.operator]] = {
    **dict.fromkeys(("add", "radd"), ast.Add),
    **dict.fromkeys(("sub", "rsub", "subtract"), ast.Sub),
    **dict.fromkeys(("mul", "rmul", "multiply"), ast.Mult),
    **dict.fromkeys(("div", "truediv", "rtruediv", "true_divide", "divide", "rdiv"), ast.Div),
    **dict.fromkeys(("floordiv", "floor_divide", "rfloordiv"), ast.FloorDiv),
    **dict.fromkeys(("mod", "remainder", "rmod"), ast.Mod),
    **dict.fromkeys(("pow", "rpow"), ast.Pow),
    **dict.fromkeys(("and", "bitwise_and", "rand"), ast.BitAnd),
    **dict.fromkeys(("or", "bitwise_or", "ror"), ast.BitOr),
}
_COMPARISONS: dict[str, type[ast.cmpop]] = {
    "eq": ast.Eq,
    "ne": ast.NotEq,
    "lt": ast.Lt,
    "le": ast.LtE,
    "gt": ast.Gt,
    "ge": ast.GtE,
    "less": ast.Lt,
    "greater": ast.Gt,
    "greater_equal": ast.GtE,
    "less_equal": ast.LtE,
}
_UNARY: dict[str, type[ast.unaryop]] = {
    "neg": ast.USub,
    "negative": ast.USub,
    "invert": ast.Invert,
    "bitwise_not": ast.Invert,
}
_OTHER_NAMES = {
    "clip": "clamp",
    "absolute": "abs",
    "clamp_min": "clamp",
    "clamp_max": "clamp",
    "special_expit": "sigmoid",
    "expit": "sigmoid",
    "masked_fill": "where",
}
#: `x + factor * y * z` and `x + factor * y / z`. Torch's kernels may round once less.
_PRODUCTS: dict[str, type[ast.operator]] = {"addcmul": ast.Mult, "addcdiv": ast.Div}
#: The item for a function that stands alone, and the fields for what follows its input.
ACTIVATIONS = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
    "selu": "SELU",
    "elu": "ELU",
    "hardswish": "Hardswish",
    "hardsigmoid": "Hardsigmoid",
    "leaky_relu": "LeakyReLU",
    "softplus": "Softplus",
}
_JOINS: dict[type[ast.operator], str] = {
    ast.Add: "Add",
    ast.Sub: "Subtract",
    ast.Mult: "Multiply",
    ast.Div: "Divide",
}
_LETTERS = ("x", "y", "z", "u", "v", "w", "r", "s", "t", "p", "q", "a", "b", "c", "d", "f", "g")


class Pending(NamedTuple):
    """A formula that may become a part of a larger one. Its names are the numbers of operands."""

    tree: ast.expr
    operands: tuple[Sym, ...]
    dtype: str
    steps: int
    call: Call


def is_elementwise(call: Call) -> bool:
    """Whether a formula has this function."""
    name = name_of(call.target)
    name = _OTHER_NAMES.get(name, name)
    if name in _PRODUCTS:
        return True
    if name == "where" and len(call.args) + len(call.kwargs) < 3:
        return False
    if name == "gelu" and call.kwargs.get("approximate", "none") != "none":
        return False
    if name in {"elu", "selu"} and (len(call.args) > 1 or {*call.kwargs} - {"inplace"}):
        return False
    if name == "round" and len(call.args) + len(call.kwargs) > 1:
        return False
    return name in _BINARY or name in _COMPARISONS or name in _UNARY or name in FUNCTIONS


def convert(converter: Context) -> Any:
    """Convert an element-wise call, or put it off until the call that reads it alone."""
    call = converter.call
    name = name_of(call.target)
    values, factor = _arguments(name, call)
    operands: list[Sym] = []
    steps = 1
    parts: list[ast.expr] = []
    for value in values:
        part, more = _part(converter, value, operands)
        parts.append(part)
        steps += more
    if factor != 1:
        parts[1] = ast.BinOp(parts[1], ast.Mult(), ast.Constant(factor))
        steps += 1
    tree = _tree(name, parts)
    pending = Pending(tree, tuple(operands), converter.dtype(call.result), steps, call)
    return pending if call.result in converter.fused else settle(converter, pending)


def _product(call: Call) -> list[Any]:
    """Return the operands of `torch.addcmul(x, y, z, value=1)`: x, y, z and the factor."""
    values = list(call.args) + [call.kwargs[n] for n in ("tensor1", "tensor2") if n in call.kwargs]
    return [*values, call.kwargs.get("value", 1)]


def _arguments(name: str, call: Call) -> tuple[list[Any], Any]:
    """Return the operands of a call in their order, and the factor of the second one."""
    values, keywords = list(call.args), dict(call.kwargs)
    keywords.pop("inplace", None)
    keywords.pop("out", None)
    if name in _PRODUCTS:
        return _product(call), 1
    factor = keywords.pop("alpha", 1)
    if name == "masked_fill":  # x.masked_fill(mask, value)
        values += [keywords[key] for key in ("mask", "value") if key in keywords]
        return [values[1], values[2], values[0]], 1
    if name == "where" and call.target.__name__ == "where" and not keywords:
        return _where(call), 1
    if name == "clamp_max":
        values = [values[0], None, *values[1:]]
    plain = _OTHER_NAMES.get(name, name)
    if plain in FUNCTIONS:
        names = FUNCTIONS[plain].parameters[len(values) :]
        names = tuple("max" if n == "other" and name == "clamp_max" else n for n in names)
        later = [keywords.pop(one, None) for one in names]
        while later and later[-1] is None:
            later.pop()
        values += later
    values += keywords.values()
    numbered = len(values) == 2 and isinstance(values[1], (int, float))
    turned = name in {"add", "mul"} and call.statement.reflected and numbered and factor == 1
    if turned or name in {"rsub", "rtruediv", "rdiv", "rpow", "rfloordiv", "rmod"}:
        values = [values[1], values[0], *values[2:]]
    return values, factor


def _where(call: Call) -> list[Any]:
    """`torch.where(c, x, y)` and `x.where(c, y)` have other orders."""
    values = list(call.args)
    method = type(call.target).__name__ == "method_descriptor"
    return [values[1], values[0], values[2]] if method else values


def _part(converter: Context, value: Any, operands: list[Sym]) -> tuple[ast.expr, int]:
    """Return an operand as a part of the formula, and the number of steps in it."""
    if isinstance(value, Times | Varying):
        raise Gap("it computes with the number of samples")
    if isinstance(value, Fixed) and value.tensor.dim() == 0:
        value = value.tensor.item()
    if value is None:
        return ast.Constant(None), 0
    if isinstance(value, bool):
        value = int(value)
    if isinstance(value, (int, float)) and not isinstance(value, Ref):
        return _number(value), 0
    known = converter.values.get(value) if isinstance(value, Ref) else None
    if isinstance(known, Pending):
        moved = _Moved(operands, known.operands)
        return moved.visit(ast.parse(ast.unparse(known.tree), mode="eval").body), known.steps
    return _name(operands, converter.sym(value)), 0


def _number(value: float) -> ast.expr:
    if isnan(value):
        raise Gap("it computes with nan")
    part: ast.expr = ast.Name("inf") if isinf(value) else ast.Constant(abs(value))
    if value <= -3.4028234663852886e38 and value != -inf:
        part = ast.Constant(3.4028234663852886e38)
    return ast.UnaryOp(ast.USub(), part) if value < 0 else part


def _name(operands: list[Sym], x: Sym) -> ast.Name:
    if x not in operands:
        operands.append(x)
    return ast.Name(f"_{operands.index(x)}")


class _Moved(ast.NodeTransformer):
    """Gives the names of a formula the numbers that they have in a larger one."""

    def __init__(self, operands: list[Sym], own: tuple[Sym, ...]) -> None:
        self.operands, self.own = operands, own

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if not node.id.startswith("_"):
            return node
        return _name(self.operands, self.own[int(node.id[1:])])


def _tree(name: str, parts: list[ast.expr]) -> ast.expr:
    if name in _PRODUCTS:
        x, y, z, factor = parts
        one = isinstance(factor, ast.Constant) and factor.value == 1
        y = y if one else ast.BinOp(factor, ast.Mult(), y)
        return ast.BinOp(x, ast.Add(), ast.BinOp(y, _PRODUCTS[name](), z))
    if name in _BINARY:
        return ast.BinOp(parts[0], _BINARY[name](), parts[1])
    if name in _COMPARISONS:
        return ast.Compare(parts[0], [_COMPARISONS[name]()], [parts[1]])
    if name in _UNARY:
        return ast.UnaryOp(_UNARY[name](), parts[0])
    name = _OTHER_NAMES.get(name, name)
    if name == "clamp" and isinstance(parts[1], ast.Constant) and parts[1].value is None:
        parts[1] = ast.UnaryOp(ast.USub(), ast.Name("inf"))
    return ast.Call(ast.Name(name), parts, [])


def settle(converter: Context, pending: Pending) -> Sym:
    """Add the item of a formula."""
    at, converter.call = converter.call, pending.call
    try:
        operands, axes, shape = aligned(converter, pending.operands)
        kind, arguments, inputs = _item(pending.tree, operands)
        return converter.operation(kind, arguments, inputs, axes, shape, pending.dtype)
    finally:
        converter.call = at


def _item(tree: ast.expr, operands: list[Sym]) -> tuple[str, dict[str, Any], Any]:
    """Return the type, the arguments and the inputs of an item."""
    joined = _join(tree)
    if joined is not None:
        kind, names = joined
        return kind, {}, [operands[number] for number in names]
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        function = tree.func.id
        if function in ACTIVATIONS and isinstance(tree.args[0], ast.Name):
            given = dict(zip(FUNCTIONS[function].parameters[1:], tree.args[1:], strict=False))
            numbers = {key: ast.literal_eval(one) for key, one in given.items()}
            return ACTIVATIONS[function], _differing(numbers), [operands[0]]
        if function == "maximum" and all(isinstance(one, ast.Name) for one in tree.args):
            return "Maximum", {}, [operands[int(one.id[1:])] for one in tree.args]  # type: ignore[attr-defined]
    names_ = _LETTERS if len(operands) > 1 else ("x",)
    if len(operands) > len(names_):
        raise Gap("it is a formula of too many inputs")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id.startswith("_"):
            node.id = names_[int(node.id[1:])]
    text = ast.unparse(tree)
    return "Formula", {"formula": text}, dict(zip(names_, operands, strict=False))


def _differing(numbers: dict[str, Any]) -> dict[str, Any]:
    defaults = {"negative_slope": 0.01, "beta": 1, "threshold": 20}
    return {key: one for key, one in numbers.items() if one != defaults[key]}


def _join(tree: ast.expr) -> tuple[str, list[int]] | None:
    """Return the join that a tree is: (a + b) + c, or one operator between two names."""
    if not isinstance(tree, ast.BinOp) or type(tree.op) not in _JOINS:
        return None
    operator = type(tree.op)
    names: list[int] = []
    part: ast.expr = tree
    while isinstance(part, ast.BinOp) and type(part.op) is operator:
        if not isinstance(part.right, ast.Name) or not part.right.id.startswith("_"):
            return None
        names.insert(0, int(part.right.id[1:]))
        part = part.left
    if not isinstance(part, ast.Name) or not part.id.startswith("_"):
        return None
    names.insert(0, int(part.id[1:]))
    several = operator in {ast.Add, ast.Mult}
    return (_JOINS[operator], names) if several or len(names) == 2 else None


def aligned(
    converter: Context, operands: tuple[Sym, ...] | list[Sym], *, keep: int = 0
) -> tuple[list[Sym], Axes, tuple[int, ...]]:
    """Return values whose axes fit each other from the last one on, and those of the result.

    The last `keep` axes need not broadcast: they are those of matrices.
    """
    apart = [one for one in operands if not one.shared]
    rank = max(one.rank for one in operands)
    if not apart:
        return _all_shared(converter, list(operands), rank, keep)
    target = max(apart, key=lambda one: one.rank)
    if target.rank < rank:
        raise Gap("it joins a tensor with one of fewer axes that has the batch")
    found = []
    for one in operands:
        if one.shared:
            found.append(_fitted(converter, one, target))
        elif one.axes != target.axes:
            raise Gap("it joins tensors that have the batch on different axes")
        else:
            found.append(one)
    return found, target.axes, _broadcast([one.shape for one in found], keep)


def _fitted(converter: Context, x: Sym, target: Sym) -> Sym:
    """Return a shared value whose axes fit those of a value of each sample."""
    shape: list[int] = []
    groups = target.axes[target.rank - x.rank :]
    for d, group in enumerate(groups):
        if 0 in group:
            if x.size(d) != 1:
                raise Gap("it joins the batch with another axis")
            shape += [1] * (len(group) - 1)
        else:
            shape.append(x.size(d))
    more = len(shape) - len(x.shape)
    if more > 0 and shape == [*[1] * more, *x.shape]:
        return x  # a formula repeats axes that come first
    return converter.reshaped(x, renumbered(groups), shape)


def _all_shared(
    converter: Context, operands: list[Sym], rank: int, keep: int
) -> tuple[list[Sym], Axes, tuple[int, ...]]:
    """Return shared values with the same number of axes."""
    if all(one.axes == operands[0].axes for one in operands):
        return operands, operands[0].axes, _broadcast([one.shape for one in operands], keep)
    batch = next((one.batch for one in operands if one.rank == rank), None)
    if batch is not None:
        behind = rank - batch
        if any(one.rank >= behind and one.size(one.rank - behind) != 1 for one in operands):
            batch = None
    found = [converter.relabelled(one, rank, batch) for one in operands]
    return found, found[0].axes, _broadcast([one.shape for one in found], keep)


def _broadcast(shapes: list[tuple[int, ...]], keep: int) -> tuple[int, ...]:
    rank = max(map(len, shapes))
    full = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(max(sizes) for sizes in zip(*full, strict=True))[: rank - keep or None] + (
        full[0][rank - keep :] if keep else ()
    )
