"""Random formulas, in netbuild and in torch: value, shape, dtype, gradient and kept bytes.

Python itself evaluates the text of a formula with torch's functions; nothing of netbuild is used
for it.

    python -m tests.formulas --cases 1000 --seed 0
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import random
import re
import sys
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from netbuild.builder.module import module
from netbuild.components.layers.elementwise.functions import FUNCTIONS
from netbuild.components.tensor import Tensor
from netbuild.diagnostics.diagnostic import errors
from tests.components.layers.contract import REFUSALS, graph_of, torch_may_warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from netbuild.graph.graph import Graph

#: What netbuild refuses and torch computes, in the words of the fault.
STRICTER = re.compile(
    r"goes from|reads no input|unchanged|does not read|has no gradient|too large|not a real"
    r"|bool alone|gets bool$|(atan2|logaddexp2?|hypot|exponent).*bool|relu6 takes floating"
    r"|first, such as .* uint8|numbers of axes|division by zero|has no value|numbers alone"
)
_NUMBERS = ("0", "1", "2", "3", "0.5", "1.702", "-1", "-0.5", "2.0", "1e-3", "pi", "-inf")
_OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "<", "<=", ">", ">=", "==", "!=", "&", "|")
_LIKELY = ("+", "-", "*", "/", "**")


class Drawn(NamedTuple):
    """A formula, and its inputs by name; `gradients` are the inputs that need one."""

    text: str
    inputs: dict[str, Tensor]
    gradients: tuple[str, ...]


def drawn(rng: random.Random) -> Drawn:
    """Draw a formula."""
    names = ["x", "m", "v"][: rng.choice([1, 1, 2, 2, 3])]
    shape = tuple(rng.choice([2, 3, 4]) for _ in range(rng.choice([1, 1, 2, 3])))
    inputs = {}
    for name in names:
        own = tuple(1 if rng.random() < 0.15 else size for size in shape)
        if rng.random() < 0.02:
            own = (*own[:-1], own[-1] + 1)
        dtype = rng.choice(["float32"] * 8 + ["int64", "int32", "uint8", "bool"])
        inputs[name] = Tensor(own, dtype)
    text = _term(rng, names, rng.choice([1, 1, 2, 2, 3, 4]))
    gradients = tuple(n for n in names if inputs[n].floating and rng.random() < 0.75)
    return Drawn(text, inputs, gradients)


def _term(rng: random.Random, names: list[str], depth: int) -> str:
    """Draw a term of this depth."""
    if depth <= 0:
        return rng.choice(names)
    kind = rng.random()
    one = _term(rng, names, depth - 1)
    if kind < 0.4:
        operator = rng.choice(_LIKELY if rng.random() < 0.7 else _OPERATORS)
        other = rng.choice(_NUMBERS) if rng.random() < 0.35 else _term(rng, names, depth - 2)
        pair = (f"({one})", f"({other})")
        return f" {operator} ".join(pair if rng.random() < 0.7 else pair[::-1])
    if kind < 0.46:
        return f"{rng.choice(['-', '~', '+'])}({one})"
    function = rng.choice(list(FUNCTIONS.values()))
    operands = [one]
    for name, takes in list(zip(function.parameters, function.takes, strict=True))[1:]:
        if len(operands) >= function.needed and rng.random() < 0.4:
            break
        number = takes == "n" or (takes == "e" and rng.random() < 0.4) or rng.random() < 0.03
        operands.append(rng.choice(_NUMBERS) if number else _term(rng, names, depth - 2))
        if name == "negative_slope":
            operands[-1] = "0.1"
        if name in {"beta", "threshold"}:
            operands[-1] = rng.choice(["0.5", "2", "20"])
    if function.name == "where" and rng.random() < 0.9:
        operands[0] = f"{one} > 0"
    return f"{function.name}({', '.join(operands)})"


class _Floors(ast.NodeTransformer):
    """Gives `//` a gradient, which torch's `floor_divide` lacks, and takes `+x` for x."""

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return node.operand if isinstance(node.op, ast.UAdd) else node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.FloorDiv):
            return node
        return ast.Call(ast.Name("_floor", ast.Load()), [node.left, node.right], [])


def _floor(one: Any, other: Any) -> Any:
    return torch.div(one, other, rounding_mode="floor")


def _of_numbers(name: str) -> Callable[..., Any]:
    """Return a function of torch that also takes numbers alone, and then returns a number."""
    function = getattr(torch, name, None) or getattr(nn.functional, name)

    def called(*x: Any) -> Any:
        if any(isinstance(one, torch.Tensor) for one in x):
            return function(*x)
        return getattr(math, name)(*x)

    return called


def by_torch(text: str, values: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return what torch computes for a formula."""
    names = {name: _of_numbers(name) for name in FUNCTIONS}
    names |= {"pi": torch.pi, "e": torch.e, "inf": torch.inf, "_floor": _floor, **values}
    tree = ast.fix_missing_locations(_Floors().visit(ast.parse(text, mode="eval")))
    found: torch.Tensor = eval(compile(tree, "formula", "eval"), {}, names)  # noqa: S307
    return found


class _Saved:
    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor.detach()


def kept_by_torch(one: Drawn, batch: int) -> int:
    """Return the bytes that torch keeps for a formula."""
    values = tensors(one, batch)
    held: list[weakref.ref[_Saved]] = []

    def pack(tensor: torch.Tensor) -> _Saved:
        saved = _Saved(tensor)
        held.append(weakref.ref(saved))
        return saved

    with torch_may_warn(), torch.autograd.graph.saved_tensors_hooks(pack, lambda it: it.tensor):
        result = by_torch(one.text, values)
    saved = [it.tensor.untyped_storage() for it in (ref() for ref in held) if it is not None]
    kept = {it.data_ptr(): it.nbytes() for it in saved}
    del result
    return sum(kept.values())


def tensors(one: Drawn, batch: int) -> dict[str, torch.Tensor]:
    """Return the inputs of a formula."""
    torch.manual_seed(7)
    found = {}
    for name, x in one.inputs.items():
        shape = (batch, *x.shape)
        if x.floating:
            found[name] = torch.randn(shape).requires_grad_(name in one.gradients)
        else:
            high = 2 if x.dtype == "bool" else 5
            found[name] = torch.randint(0, high, shape).to(getattr(torch, x.dtype))
    return found


def graph_of_formula(one: Drawn) -> Graph:
    """Return what netbuild infers of a network with a formula as its last layer.

    An input that needs a gradient comes from a layer that learns and changes nothing.
    """
    names = list(one.inputs)
    layers: dict[str, Any] = {}
    for number, name in enumerate(names):
        source = f"in{number}" if len(names) > 1 else "input"
        layer = {"PReLU": {"init": 1.0}} if name in one.gradients else {"Identity": {}}
        layers[f"a{number}"] = {**layer, "inputs": source}
    wires = {name: f"a{number}" for number, name in enumerate(names)}
    layers["it"] = {"Formula": one.text, "inputs": wires}
    return graph_of(layers, *one.inputs.values())


def disagreement(one: Drawn) -> str:
    """Return how netbuild and torch disagree about a formula; an empty text if they agree."""
    graph = graph_of_formula(one)
    try:
        with torch_may_warn():
            # Whole numbers may be divided by a 0 of the third sample, which `_kept` needs.
            _, y = (by_torch(one.text, tensors(one, samples)) for samples in (3, 2))
            refused = "" if isinstance(y, torch.Tensor) else "it is a number"
    except (*REFUSALS, AttributeError) as error:
        if "ZeroDivision" in str(error):
            return ""
        refused = str(error) or "refused"
    faults = errors(graph.diagnostics)
    if faults:
        message = faults[0].label
        agrees = bool(refused) or STRICTER.search(message)
        return "" if agrees else f"netbuild refuses: {message}"
    if refused:
        return f"torch refuses: {refused[:200]}"
    said = graph.rows[-1].output
    if (said.shape, f"torch.{said.dtype}") != (tuple(y.shape[1:]), str(y.dtype)):
        return f"netbuild says {said}, torch {tuple(y.shape)} {y.dtype}"
    return _values(one, graph) or _kept(one, graph)


def _values(one: Drawn, graph: Graph) -> str:
    """Compare the values and the gradients with those of the built module."""
    built = module(graph)
    theirs, ours = tensors(one, 2), tensors(one, 2)
    with torch_may_warn():
        y, z = by_torch(one.text, theirs), built(*ours.values())
    if not torch.equal(
        torch.nan_to_num(y.detach().double()), torch.nan_to_num(z.detach().double())
    ):
        return "values differ"
    if not y.requires_grad:
        return "netbuild's result has a gradient" if z.requires_grad and not one.gradients else ""
    try:
        y.sum().backward()
    except RuntimeError as error:
        return f"torch has no gradient: {error}"
    z.sum().backward()
    for name in one.gradients:
        left, right = theirs[name].grad, ours[name].grad
        if (left is None) != (right is None):
            return f"only one has a gradient of {name}"
        if left is not None and right is not None and not _close(left, right):
            return f"gradients of {name} differ"
    return ""


def _close(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-4, atol=1e-6, equal_nan=True)


def _kept(one: Drawn, graph: Graph) -> str:
    ours = list(graph.kept)[-1].nbytes
    theirs = kept_by_torch(one, 3) - kept_by_torch(one, 2)
    return "" if ours == theirs else f"netbuild keeps {ours} B, torch {theirs} B"


def main() -> None:
    """Draw formulas until one disagrees in each way, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    wrong = computed = 0
    for number in range(options.cases):
        one = drawn(random.Random(f"{options.seed}.{number}"))  # noqa: S311  no cryptography
        found = disagreement(one)
        computed += not errors(graph_of_formula(one).diagnostics)
        if found:
            wrong += 1
            shapes = {name: list(x) for name, x in one.inputs.items()}
            drawn_ = json.dumps([one.text, shapes, one.gradients])
            sys.stdout.write(f"{drawn_}\n    {found}\n")
            sys.stdout.flush()
    said = f"{options.cases} formulas, {computed} computed, {wrong} disagreements"
    sys.stdout.write(f"seed {options.seed}: {said}\n")


if __name__ == "__main__":
    main()
