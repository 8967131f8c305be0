"""A network from `print(model)`, the text of an `nn.Sequential`; torch is not needed.

The text tells the modules and their arguments, and not what `forward` does. An `nn.Sequential`
calls its modules one after the other, so its text is enough. Any other module that holds modules
is a gap.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.component import FromInput
from netbuild.components.layers import LAYERS
from netbuild.components.layers.operation import Operation
from netbuild.diagnostics.diagnostic import errors
from netbuild.diagnostics.exceptions import ImportedError
from netbuild.exchange.importer.folding.folding import config_of, graph_of, plain_text
from netbuild.exchange.importer.network import Network, Node, Stack
from netbuild.graph.value import OUTPUT, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netbuild.components.layers.layer import Layer
    from netbuild.components.tensor import Tensor
    from netbuild.exchange.importer.folding.folding import Written

_LINE = re.compile(r"( *)(?:\(([^()]+)\): )?(?:(\d+) x )?([A-Za-z_]\w*)\((.*)$")
#: Fields whose value for each axis is one number, if all axes have the same.
_FOR_EACH_AXIS = (
    *("kernel_size", "stride", "padding", "dilation", "output_size", "output_padding"),
    *("scale_factor", "size"),
)
#: Fields that torch does not print. A config has their defaults, and a comment says so.
UNPRINTED = {
    "AvgPool1d": ("ceil_mode", "count_include_pad"),
    "AvgPool2d": ("ceil_mode", "count_include_pad", "divisor_override"),
    "AvgPool3d": ("ceil_mode", "count_include_pad", "divisor_override"),
    "CosineSimilarity": ("dim", "eps"),
    "PairwiseDistance": ("p", "eps", "keepdim"),
    "RNN": ("nonlinearity",),
    "RNNCell": ("nonlinearity",),
    "Upsample": ("align_corners", "recompute_scale_factor"),
    "PReLU": ("init",),
    "Hardswish": ("inplace",),
    "Hardsigmoid": ("inplace",),
}
#: A norm without weights has no bias either, whatever torch prints.
_AFFINE = ("affine", "elementwise_affine")


class Module(NamedTuple):
    """A module of the text: its name, its class, its arguments, and the modules inside."""

    name: str
    type: str
    arguments: str
    children: tuple[Module, ...]
    line: int


def read(text: str, inputs: Mapping[str, Tensor]) -> Network:
    """Return the network of a printed `nn.Sequential`, for one input.

    Raises:
        ImportedError: the text is no printed module, or the module is no `nn.Sequential`.
    """
    root = parse(text)
    if len(inputs) != 1:
        raise ImportedError("an nn.Sequential has one input: write --input once")
    if root.type != "Sequential":
        if root.children:
            raise ImportedError(
                f"{root.type} is no nn.Sequential, and its text does not tell what its forward "
                f"does: import the module itself"
            )
        root = Module("", "Sequential", "", (root._replace(name="0"),), root.line)
    nodes: list[Node] = []
    stacks: dict[str, Stack] = {}
    last = _walk(root, "", Value("", next(iter(inputs))), nodes, stacks)
    if not nodes:
        raise ImportedError("the printed nn.Sequential has no module")
    return Network("Sequential", inputs, tuple(nodes), {OUTPUT: last}, stacks)


def printed_config(text: str, inputs: Mapping[str, Tensor]) -> Written:
    """Return the config of a printed `nn.Sequential`, with its gaps.

    Raises:
        ImportedError: the text is no printed `nn.Sequential`, or its sizes do not fit the input.
    """
    network = read(text, inputs)
    faults = errors(graph_of(plain_text(network)).diagnostics)
    if faults and not any(node.gap for node in network.nodes):
        first = faults[0]
        raise ImportedError(
            f"the printed module does not fit the input: {first.title}: {first.label}"
        )
    nodes = [_without_decided(node) for node in network.nodes]
    return config_of(network._replace(nodes=tuple(nodes), notes=_unprinted(nodes)))


def _without_decided(node: Node) -> Node:
    """Return a node without the sizes that its input decides."""
    layer = LAYERS.get(node.type)
    if layer is None or node.gap:
        return node
    own = {
        name: value
        for name, value in node.arguments.items()
        if not any(isinstance(mark, FromInput) for mark in layer.model_fields[name].metadata)
        or (isinstance(value, list) and len(value) > 1)
    }
    return node._replace(arguments=own)


def _unprinted(nodes: Sequence[Node]) -> tuple[str, ...]:
    """Return a comment for each type whose text lacks some fields."""
    found = []
    for type_ in dict.fromkeys(node.type for node in nodes if not node.gap):
        fields = UNPRINTED.get(type_, ())
        if fields:
            *front, last = fields
            names = f"{', '.join(front)} and {last}" if front else last
            found.append(f"torch does not print {names} of {type_}: the defaults stand here")
    return tuple(found)


def parse(text: str) -> Module:
    """Return the modules of a printed module.

    Raises:
        ImportedError: the text is no printed module; the message names the line.
    """
    lines = [
        (number, line.rstrip())
        for number, line in enumerate(text.expandtabs().splitlines(), 1)
        if line.strip()
    ]
    if not lines:
        raise ImportedError("there is no printed module to read: print(model) gives one")
    modules, end = _modules(lines, 0, -1)
    if len(modules) != 1 or end != len(lines):
        raise _broken(lines[min(end, len(lines) - 1)])
    return modules[0]


def _modules(lines: Sequence[tuple[int, str]], start: int, indent: int) -> tuple[list[Module], int]:
    """Return the modules that stand deeper than an indent, and the first line behind them."""
    found: list[Module] = []
    position = start
    while position < len(lines):
        number, line = lines[position]
        match = _LINE.fullmatch(line)
        if match is None or len(match[1]) <= indent:
            break
        name, type_, rest = match[2] or "", match[4], match[5]
        position += 1
        inner: list[Module] = []
        if rest.endswith(")") and _closed(rest[:-1]):
            rest = rest[:-1]
        else:
            more = []
            while position < len(lines) and not _is_module(lines[position][1]):
                if lines[position][1].strip() == ")":
                    break
                more.append(lines[position][1].strip())
                position += 1
            rest = " ".join([rest, *more]).strip()
            inner, position = _modules(lines, position, len(match[1]))
            if position >= len(lines) or lines[position][1].strip() != ")":
                raise _broken(lines[min(position, len(lines) - 1)])
            position += 1
        made = Module(name, type_, rest, tuple(inner), number)
        found += [made._replace(name=each) for each in _names(name)]
    return found, position


def _is_module(line: str) -> bool:
    """Whether a line begins a module with a name."""
    match = _LINE.fullmatch(line)
    return match is not None and match[2] is not None


def _closed(text: str) -> bool:
    """Whether each bracket of a text is closed."""
    return text.count("(") == text.count(")")


def _names(name: str) -> list[str]:
    """Return the names that a line stands for: `2-4` for three equal modules."""
    match = re.fullmatch(r"(\d+)-(\d+)", name)
    if match is None:
        return [name]
    return [str(number) for number in range(int(match[1]), int(match[2]) + 1)]


def _broken(line: tuple[int, str]) -> ImportedError:
    number, text = line
    shown = text.strip()[:60]
    return ImportedError(f"line {number} is no line of a printed module: {shown}")


def _walk(
    module: Module, path: str, x: Value, nodes: list[Node], stacks: dict[str, Stack]
) -> Value:
    """Add the nodes of a `Sequential` that reads a value; return its result."""
    for child in module.children:
        place = f"{path}.{child.name}" if path else child.name
        if child.type == "Sequential":
            stacks[place] = Stack(place, child.type)
            x = _walk(child, place, x, nodes, stacks)
            continue
        node = _node(child, place, x)
        nodes.append(node)
        x = Value(place, next(iter(node.outputs), OUTPUT))
    return x


def _node(module: Module, path: str, x: Value) -> Node:
    """Return the node of a module, or a gap that says what its text does not tell."""
    layer = LAYERS.get(module.type)
    wires = ((layer.inputs[0] if layer and layer.inputs else "input", x),)

    def gap(reason: str) -> Node:
        return Node(path, module.type, {}, wires, gap=reason)

    if module.children:
        told = "its modules and not its forward" if layer is None else "its parts, and no argument"
        return gap(f"torch prints {told}")
    if layer is None or issubclass(layer, Operation):
        return gap("netbuild has no layer of this name")
    if len(layer.inputs) != 1:
        return gap(f"it reads {len(layer.inputs)} values, and an nn.Sequential gives one")
    try:
        given = dict(_arguments(module, layer))
    except (SyntaxError, ValueError) as error:
        return gap(f"its arguments cannot be read: {error}")
    missing = [
        name
        for name, field in layer.model_fields.items()
        if field.is_required() and name not in given
    ]
    if missing:
        return gap(f"torch does not print {' and '.join(missing)}")
    return Node(path, module.type, given, wires)


def _arguments(module: Module, layer: type[Layer]) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a layer that differ from their defaults.

    Raises:
        ValueError: an argument is no field, or no value.
        SyntaxError: the arguments are no Python.
    """
    call = ast.parse(f"f({module.arguments})", mode="eval").body
    assert isinstance(call, ast.Call)
    fields = list(layer.model_fields)
    written = dict(zip(fields, map(ast.literal_eval, call.args), strict=False))
    written |= {one.arg: ast.literal_eval(one.value) for one in call.keywords if one.arg}
    if any(written.get(name) is False for name in _AFFINE):
        written.pop("bias", None)
    if "batch_first" in fields:
        written.setdefault("batch_first", False)  # torch's default; a config has true
    for name, value in written.items():
        if name not in fields:
            raise ValueError(f"netbuild has no field {name} of {module.type}")
        own = _plain(name, value)
        if own != layer.model_fields[name].default and not (
            name == "stride"
            and layer.model_fields[name].default is None
            and _is_kernel(own, written)
        ):
            yield name, own


def _plain(name: str, value: Any) -> Any:
    """Return a value as a config has it: `(3, 3)` is 3 for a field with a number for each axis."""
    if isinstance(value, tuple):
        if name in _FOR_EACH_AXIS and value and all(one == value[0] for one in value):
            return value[0]
        return list(value)
    return value


def _is_kernel(stride: Any, written: Mapping[str, Any]) -> bool:
    """Whether the stride of a pool is its kernel, which is the default."""
    return bool(stride == _plain("kernel_size", written.get("kernel_size")))
