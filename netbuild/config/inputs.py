"""The sections `input:` and `inputs:`: the shapes and dtypes of the network's inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import field_validator

from netbuild.components.component import Component
from netbuild.components.fields import OptionalSizes, Shaped, one_of, unwanted
from netbuild.components.tensor import Tensor
from netbuild.config.filling import fill_fields
from netbuild.diagnostics.diagnostic import Diagnostic, collect
from netbuild.syntax.item import kind
from netbuild.syntax.names import input_name_fault
from netbuild.syntax.node import Entry, Map, Node, Scalar, is_unknown

if TYPE_CHECKING:
    from netbuild.components.tensor import Shape
    from netbuild.config.sections import Sections
    from netbuild.diagnostics.diagnostic import Found


class Input(Component):
    """`input: {shape: [128], dtype: int64}`. A list is the shape of a float32 input."""

    shape: Shaped
    """Sizes of the axes of one sample, without the batch axis."""
    # The weights are float32, and torch does not mix them with another floating-point dtype.
    dtype: Annotated[str, one_of("float32", "int64", "int32", "uint8", "bool")] = "float32"
    """Type of the numbers: float32, or a whole-number or boolean type for indices and masks."""
    object_size: OptionalSizes = None
    """Size of the objects in positions of the input; a lint compares receptive fields with it."""

    @field_validator("object_size")
    @classmethod
    def _one_per_axis(cls, object_size: Any, info: Any) -> Any:
        axes = max(0, len(info.data.get("shape", ())) - 1)
        if isinstance(object_size, tuple) and len(object_size) != axes:
            raise unwanted(f"one number, or one for each of the {axes} axes after the first")
        return object_size


class Inputs(NamedTuple):
    """The inputs of a network by name. An input with a fault is None."""

    tensors: dict[str, Tensor | None]
    #: The sizes of the objects, for the inputs that give `object_size`.
    object_sizes: dict[str, int | Shape]


_UNKNOWN = Inputs({"input": None}, {})


def read_inputs(sections: Sections, *, needed: bool) -> Found[Inputs]:
    """Read `input:` or `inputs:`. If both are missing and `needed` is true, report it."""
    several, faults = sections.node("inputs")
    one, wrong = sections.node("input")
    faults += wrong
    if several is not None:
        inputs, wrong = _by_name(several)
        if one is None:
            return inputs, (*faults, *wrong)
        span = sections.root.entries["input"].key.span
        label = "a network has either input or inputs"
        title, help_ = "input and inputs in one file", "keep one of the two"
        fault = Diagnostic("NB107", title, span, label, help=help_)
        return Inputs(dict.fromkeys(inputs.tensors), {}), (*faults, *wrong, fault)
    if one is not None:
        inputs, wrong = _inputs({"input": one})
        return inputs, (*faults, *wrong)
    if needed:
        example = "input: [1, 28, 28]  # channels, height, width"
        faults = (*faults, sections.missing("input", example))
    return _UNKNOWN, faults


def input_of(sections: Sections, shape: Shape) -> Found[Inputs]:
    """Return the only input with the shape of the option `--input`."""
    node, faults = sections.node("input")
    if "inputs" in sections.root.entries:
        span = sections.root.entries["inputs"].key.span
        label = "--input gives one shape, and this network has several inputs"
        title = "--input for a network with inputs"
        faults = (*faults, Diagnostic("NB107", title, span, label))
    inputs, wrong = _inputs({"input": node}) if node else (_UNKNOWN, ())
    tensor = inputs.tensors["input"]
    changed = Tensor(shape, tensor.dtype if tensor else "float32")
    return Inputs({"input": changed}, inputs.object_sizes), (*faults, *wrong)


def _by_name(node: Node) -> Found[Inputs]:
    if is_unknown(node):
        return _UNKNOWN, ()
    if not isinstance(node, Map) or not node.entries:
        label = f"inputs wants names with shapes, not {kind(node)}"
        help_ = "write inputs: {left: [1, 28, 28], right: [1, 28, 28]}"
        return _UNKNOWN, (
            Diagnostic("NB106", "inputs is not a mapping", node.span, label, help=help_),
        )
    misnamed = (input_name_fault(name, key.span) for name, (key, _) in node.entries.items())
    inputs, faults = _inputs({name: entry.value for name, entry in node.entries.items()})
    return inputs, (*filter(None, misnamed), *faults)


def _inputs(nodes: dict[str, Node]) -> Found[Inputs]:
    """Read the shapes of inputs by name, with their dtypes and object sizes."""
    read, faults = collect(_input(name, node) for name, node in nodes.items())
    inputs = dict(zip(nodes, read, strict=True))
    tensors = {n: Tensor(x.shape, x.dtype) if x else None for n, x in inputs.items()}
    sizes = {name: x.object_size for name, x in inputs.items() if x and x.object_size is not None}
    return Inputs(tensors, sizes), faults


def _input(name: str, node: Node) -> Found[Input | None]:
    entries = {"shape": Entry(Scalar("shape", node.span, "shape"), node)}
    return fill_fields(Input, node.entries if isinstance(node, Map) else entries, name, node.span)
