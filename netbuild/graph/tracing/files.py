"""Blocks that are the layers of another file: their inputs, and their rules of `init:`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netbuild.components.layers import LAYERS
from netbuild.components.tensor import times
from netbuild.config.init import read_rules
from netbuild.config.inputs import read_inputs
from netbuild.config.sections import Sections
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.syntax.item import place_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from netbuild.components.tensor import Tensor
    from netbuild.config.blocks import Definition, Foreign
    from netbuild.config.init import Rule
    from netbuild.diagnostics.diagnostic import Faults, Found
    from netbuild.graph.tracing.scope import Signal
    from netbuild.syntax.item import Item


def renamed(file: Foreign, inputs: dict[str, Signal]) -> dict[str, Signal]:
    """Return the inputs of a use; the only input gets the name that the file gives it."""
    return dict(zip(file.inputs, inputs.values(), strict=True)) if _is_one(file, inputs) else inputs


def check(
    block: Definition, item: Item, values: Mapping[str, Any], inputs: Mapping[str, Signal]
) -> Found[tuple[Rule, ...]]:
    """Check that the inputs of a use are those of the file; return its rules of `init:`.

    `values` are the variables of the file.
    """
    assert block.file is not None
    root = block.file.root
    sections = Sections(root.span.document, root, dict(values), {})
    expected, faults = read_inputs(sections, needed=False)
    rules: tuple[Rule, ...] = ()
    rules, wrong = sections.read("init", lambda node: read_rules(node, LAYERS), rules)
    faults += wrong
    if block.file.inputs:
        faults += _names(block.file, block.name, item, inputs)
    if not faults and block.file.inputs:
        for name, tensor in expected.tensors.items():
            faults += _unfit(block, item, name, tensor, inputs[name].tensor)
    return rules, faults


def _names(file: Foreign, block: str, item: Item, inputs: Mapping[str, Signal]) -> Faults:
    """Return the fault of a use that gives the file other inputs than it has."""
    if set(inputs) == set(file.inputs):
        return ()
    title = "the wrong number of inputs for a block"
    wanted = " and ".join(file.inputs)
    label = f"{block} reads {wanted}, and this gives it {' and '.join(inputs)}"
    help_ = f"write inputs: {{{', '.join(f'{name}: …' for name in file.inputs)}}}"
    if len(file.inputs) == 1:
        help_ = "write inputs: with one name"
    return (Diagnostic("NB208", title, _place(item), label, help=help_),)


def _unfit(
    block: Definition, item: Item, name: str, wanted: Tensor | None, given: Tensor | None
) -> Faults:
    """Return the fault of an input with another shape or dtype than the file says."""
    if wanted is None or given is None or wanted == given:
        return ()
    assert block.file is not None
    code, said, comes = "NB202", times(wanted.shape), times(given.shape)
    if wanted.shape == given.shape:
        code, said, comes = "NB207", wanted.dtype, given.dtype
    elif len(wanted.shape) != len(given.shape):
        code = "NB201"
    node = block.file.root.get("inputs") or block.file.root.get("input")
    assert node is not None
    where = f"line {node.span.line} of {Path(node.span.document.name).name}"
    label = f"the {name} of {block.name} is {said} ({where}), and {comes} arrives"
    if name == "input":
        label = f"{block.name} reads {said} ({where}), and {comes} arrives"
    return (Diagnostic(code, f"an input that {block.name} does not take", _place(item), label),)


def _is_one(file: Foreign, inputs: Mapping[str, Signal]) -> bool:
    return len(file.inputs) == len(inputs) == 1


def _place(item: Item) -> Any:
    entry = item.modifiers.get("inputs")
    return entry.value.span if entry else place_of(item)
