"""The faults of formulas that are Python, but that a formula cannot contain."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn

from netbuild.components.layers.elementwise.faults import fault
from netbuild.components.layers.elementwise.functions import FUNCTIONS
from netbuild.components.layers.elementwise.program import Number, Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netbuild.components.layers.elementwise.functions import Function
    from netbuild.components.layers.elementwise.program import Part, Read

#: Names that people write for a function of a formula.
_OTHER_NAMES = {
    "max": "maximum",
    "min": "minimum",
    "ln": "log",
    "sgn": "sign",
    "fabs": "abs",
    "absolute": "abs",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "clip": "clamp",
    "hardtanh": "clamp",
    "power": "pow",
    "mod": "remainder",
    "swish": "silu",
    "heaviside": "where",
    "fix": "trunc",
    "not_equal": "ne",
    "greater": "gt",
    "less": "lt",
    "multiply": "mul",
    "divide": "div",
    "subtract": "sub",
    "negative": "neg",
}
_MODULES = {"torch", "math", "np", "numpy", "F", "nn", "functional", "jnp", "tf"}


#: What a formula cannot contain, in the words of a message.
_REFUSED = {
    "Dict": "a mapping",
    "GeneratorExp": "a loop",
    "ListComp": "a loop",
    "SetComp": "a loop",
    "DictComp": "a loop",
    "JoinedStr": "a text",
    "Lambda": "lambda",
    "List": "a list",
    "NamedExpr": "an assignment (:=)",
    "Set": "values in braces",
    "Starred": "a * before a value",
    "Tuple": "several values with commas between them",
    "Yield": "yield",
    "Await": "await",
}
#: Functions that are not element-wise, and the layers for them.
_OF_SEVERAL = {
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
    "sum": "Sum",
    "mean": "Mean",
    "norm": "VectorNorm",
    "matmul": "MatMul",
    "cat": "Concat",
    "concat": "Concat",
    "stack": "Stack",
    "cumsum": "Cumsum",
    "dropout": "Dropout",
    "layer_norm": "LayerNorm",
    "var": "Var",
    "std": "Std",
    "prod": "Prod",
    "logsumexp": "Logsumexp",
    "argmax": "Argmax",
    "einsum": "Einsum",
    "reshape": "Reshape",
    "permute": "Permute",
    "transpose": "Transpose",
    "randn_like": "RandnLike",
    "rand_like": "RandLike",
}
_OF_ONE = "a formula computes each value for itself"


def refuse(text: str, part: Callable[[ast.AST], Part], node: ast.AST) -> NoReturn:
    """Raise the fault of a node that a formula cannot contain."""
    at = part(node)
    if isinstance(node, ast.BoolOp):
        sign = "and" if isinstance(node.op, ast.And) else "or"
        operator = "&" if sign == "and" else "|"
        instead = f" {operator} ".join(f"({text[slice(*part(value))]})" for value in node.values)
        fault(
            f"a formula writes {operator} for {sign}", at, instead=instead, help=f"write {instead}"
        )
    if isinstance(node, ast.IfExp):
        test, body, other = (text[slice(*part(x))] for x in (node.test, node.body, node.orelse))
        instead = f"where({test}, {body}, {other})"
        fault("a formula chooses values with where", at, instead=instead, help=f"write {instead}")
    if isinstance(node, ast.Subscript):
        fault(f"{_OF_ONE}: [ ] takes a part of a tensor", at, help="use Select, Narrow or Chunk")
    if isinstance(node, ast.Attribute):
        _refuse_attribute(text, part, node)
    fault(f"a formula cannot contain {_REFUSED.get(type(node).__name__, 'this')}", at)


def refuse_not(text: str, at: Part, operand: Part) -> NoReturn:
    """Raise the fault of `not` before an operand."""
    instead = f"~({text[slice(*operand)]})"
    fault("a formula writes ~ for not", at, instead=instead, help=f"write {instead}")


def refuse_name(text: str, at: Part, inputs: Sequence[str], known: tuple[str, ...]) -> NoReturn:
    """Raise the fault of a name that is neither an input nor a number."""
    name = text[slice(*at)]
    if name in FUNCTIONS:
        called = f"{name}({inputs[0]})"
        fault(f"{name} is a function", at, instead=called, help=f"write {called}")
    words = re.findall(r"[A-Za-z_]\w*(?!\w*\s*\()", text)
    alone = len(inputs) == 1 and {*words} - {"pi", "e", "inf"} == {name} and words.count(name) == 1
    number = "input is" if len(inputs) == 1 else "inputs are"
    help_ = f"the {number} {', '.join(inputs)}; inputs: {{{name}: …}} beside Formula names an input"
    instead = inputs[0] if alone else None
    fault(f"no input is called {name}", at, instead=instead, known=known, help=help_)


def refuse_arguments(
    function: Function, part: Callable[[ast.AST], Part], node: ast.Call
) -> NoReturn:
    """Raise the fault of a call with too few or too many arguments, or with an unknown one."""
    name, parameters = function.name, ", ".join(function.parameters)
    for one in node.keywords:
        if one.arg not in function.parameters:
            said = one.arg or "such argument"
            message = f"{name} has no {said}: it has {parameters}"
            fault(message, part(one), instead=None)
    least, most = function.needed, function.most
    takes = str(most) if least == most else f"{least} to {most}"
    count = len(node.args) + len(node.keywords)
    plural = "" if takes == "1" else "s"
    fault(f"{name} takes {takes} argument{plural} ({parameters}), and gets {count}", part(node))


def _refuse_attribute(text: str, part: Callable[[ast.AST], Part], node: ast.Attribute) -> NoReturn:
    inside = text[slice(*part(node.value))]
    if inside in _MODULES and node.attr in {"pi", "e", "inf"}:
        fault(f"{node.attr} stands alone in a formula", part(node), instead=node.attr)
    fault("a formula has no name after a dot", part(node), help="name each input in inputs: {…}")


def refuse_operator(text: str, start: int, end: int, kind: str) -> NoReturn:
    """Raise the fault of an operator that a formula does not have, between two positions."""
    sign = re.search(r"\^|@|<<|>>", text[start:end])
    at = (start, end) if sign is None else (start + sign.start(), start + sign.end())
    if kind == "BitXor":
        spaced = text[at[0] - 1 : at[0]] == " "
        instead = "**" if spaced else " ** "
        fault("a formula writes ** for a power", at, instead=instead, help="write ** for ^")
    if kind == "MatMult":
        fault(f"{_OF_ONE}, and @ multiplies matrices", at, help="use MatMul")
    fault("the operators of a formula are + - * / // % ** & | ~", at)


def refuse_comparison(text: str, part: Callable[[ast.AST], Part], node: ast.Compare) -> NoReturn:
    """Raise the fault of a chain of comparisons, or of `in` and `is`."""
    if any(isinstance(op, (ast.In, ast.NotIn, ast.Is, ast.IsNot)) for op in node.ops):
        fault("the comparisons of a formula are == != < <= > >=", part(node))
    values = [node.left, *node.comparators]
    pairs = []
    for left, right in pairwise(values):
        sign = text[part(left)[1] : part(right)[0]].strip(" ()")
        pairs.append(f"({text[slice(*part(left))]} {sign} {text[slice(*part(right))]})")
    instead = " & ".join(pairs)
    fault(
        "a formula compares two values at a time",
        part(node),
        instead=instead,
        help=f"write {instead}",
    )


def refuse_call(text: str, part: Callable[[ast.AST], Part], node: ast.Call) -> NoReturn:
    """Raise the fault of a call of something that is no function of a formula."""
    function = node.func
    arguments = [text[slice(*part(one))] for one in (*node.args, *node.keywords)]
    if isinstance(function, ast.Attribute):
        name, value = function.attr, text[slice(*part(function.value))]
        if value.split(".")[0] in _MODULES:
            fault(
                "a formula calls a function by its own name",
                part(function),
                instead=name,
                help=f"write {name}(…)",
            )
        instead = f"{name}({', '.join([value, *arguments])})" if name in FUNCTIONS else None
        help_ = f"write {instead}" if instead else None
        fault("a formula has no methods", part(node), instead=instead, help=help_)
    if not isinstance(function, ast.Name):
        fault("a formula calls a function by its name", part(node))
    name = function.id
    numbers = [one for one in node.args if isinstance(one, ast.Constant)]
    if name in {"max", "min"} and len(arguments) == 2 and len(numbers) == 1:
        number = text[slice(*part(numbers[0]))]
        (tensor,) = [one for one in arguments if one != number] or [number]
        instead = f"clamp({tensor}, {number if name == 'max' else f'None, {number}'})"
        fault(f"a formula has no function {name}", part(node), instead=instead)
    if name in _OTHER_NAMES:
        other = _OTHER_NAMES[name]
        same = other not in {"clamp", "where"} or name == "clip"
        fault(
            f"a formula has no function {name}",
            part(function),
            instead=other if same else None,
            help=f"use {other}",
        )
    if name in _OF_SEVERAL:
        fault(
            f"{_OF_ONE}, and {name} does not",
            part(function),
            help=f"use the layer {_OF_SEVERAL[name]}",
        )
    fault(f"a formula has no function {name}", part(function), known=tuple(FUNCTIONS))


def refuse_bounds(text: str, at: Part, operands: Sequence[Read]) -> NoReturn:
    """Raise the fault of a clamp between a number and a tensor."""
    x, low, high = (text[slice(*part)] for _, part in operands)
    instead = f"minimum(clamp({x}, {low}), {high})"
    if isinstance(operands[1][0], Slot):
        instead = f"maximum(clamp({x}, None, {high}), {low})"
    message = "min and max of clamp are two numbers or two tensors"
    fault(message, at, instead=instead, help=f"write {instead}")


def refuse_number(
    text: str, at: Part, function: Function, operands: Sequence[Read], part: Part
) -> NoReturn:
    """Raise the fault of a number in the place of a tensor."""
    shown = text[slice(*part)]
    tensor = next((text[slice(*where)] for one, where in operands if isinstance(one, Slot)), None)
    number = next((text[slice(*where)] for one, where in operands if isinstance(one, Number)), None)
    instead = None
    if function.name in {"maximum", "minimum"} and tensor and number:
        bounds = number if function.name == "maximum" else f"None, {number}"
        instead = f"clamp({tensor}, {bounds})"
    elif function.name in {"%", "//", "remainder", "fmod"}:
        fault(f"torch has no gradient of a number {function.name} a tensor", at)
    at = at if instead else part
    fault(
        f"{function.name} takes tensors, and {shown} is a number",
        at,
        instead=instead,
        help=instead and f"write {instead}",
    )
