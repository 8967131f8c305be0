"""The memory of a network, layer by layer: its weights, and the tensors that training keeps."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from netbuild.components.layers.formula import formula
from netbuild.components.tensor import BYTES
from netbuild.graph.value import Value, value_name
from netbuild.reports.explanation.step import Count, FormulaStep, reasons, step

if TYPE_CHECKING:
    from netbuild.components.tensor import Tensor
    from netbuild.graph.graph import Graph
    from netbuild.graph.inference import Inferred
    from netbuild.graph.memory import Held, Kept
    from netbuild.graph.row import Row

_NOTHING_BEFORE = (
    "neither this layer nor an earlier layer learns through it, "
    "so the backward pass does not reach it"
)
_ONCE = "once a batch, because all samples share it"
_NOTHING_BEHIND = "no output gives this layer a gradient, so the backward pass does not reach it"


@lru_cache(maxsize=1024)
def weights_bytes(params: int) -> Count:
    """Return the bytes of parameters in float32."""
    return Count(4 * params, (step("", formula("4 B·params", params=params)),) if params else ())


def kept(graph: Graph) -> dict[str, Count]:
    """Return the bytes that each layer keeps in training for one sample, by the layer's path."""
    pairs = zip(graph.rows, graph.kept, strict=True)
    return {row.path: _kept(row, found) for row, found in pairs}


def _kept(row: Row, found: Kept) -> Count:
    """Return the bytes that one layer keeps, with a step for each tensor."""
    if not found.reached:
        return Count(0, (), _NOTHING_BEFORE)
    if not found.is_read:
        return Count(0, (), _NOTHING_BEHIND)
    names = _names(row)
    steps = [_tensor(names.get(held.value, value_name(held.value)), held) for held in found.tensors]
    once = found.once + found.workspace * found.is_shared
    if once:
        steps.append(FormulaStep("workspace", "", "", 0, note=f"{once:,} B {_ONCE}"))
    if found.workspace and not found.is_shared:
        steps.append(_workspace(row.inferred, found.workspace))
    note = "" if steps else "its backward pass needs no values"
    if found.stack:
        note = f"the backward pass computes {found.stack} again"
        note += f", and keeps {found.again:,} B of this layer meanwhile" if found.again else ""
    return Count(found.nbytes, tuple(steps), note)


def _tensor(name: str, held: Held) -> FormulaStep:
    """Return the step of an input or a result. Its memory may belong to another value."""
    if held.keeper is not None:
        return FormulaStep(name, "", "", 0, note=f"already kept by {held.keeper}")
    if held.is_weight:
        what = "a constant" if held.is_constant else "a weight"
        return FormulaStep(name, "", "", 0, note=f"{what}, which is not counted again")
    found = _bytes(name, held.tensor)
    if held.is_shared:
        return FormulaStep(name, "", "", 0, note=f"{held.nbytes:,} B {_ONCE}")
    if held.is_copy:
        return found._replace(note="a copy, because its values do not lie in order in memory")
    if held.place == held.value:
        return found
    return found._replace(note=f"it shares the memory of {value_name(held.place)}")


@lru_cache(maxsize=1024)
def _bytes(name: str, tensor: Tensor) -> FormulaStep:
    """Return the step for the bytes of a tensor."""
    rule = formula(f"{BYTES[tensor.dtype]} B·∏ shape", shape=tensor.shape)
    return step(name, rule, result=tensor.nbytes)


def _names(row: Row) -> dict[Value, str]:
    """Return the names that a layer gives its inputs and results."""
    names = row.layer.input_names(len(row.sources))
    if row.layer.variadic:
        names = row.layer.inputs
    more = (f"input {number}" for number in range(len(names) + 1, len(row.sources) + 1))
    inputs = dict(zip(row.sources, (*names, *more), strict=False))
    return {Value(row.path, port): port for port in row.outputs} | inputs


@lru_cache(maxsize=1024)
def _workspace(inferred: Inferred, size: int) -> FormulaStep:
    """Return the step of a layer's workspace, such as indices and masks.

    The formula holds for inputs that lie in order and need gradients, and for weights that learn.
    """
    note = reasons(inferred.layer, "workspace")
    found = inferred.layer.formulas(*inferred.shapes).workspace
    if found is None or size != inferred.layer.workspace(*inferred.shapes):
        return FormulaStep("workspace", "", "", size, note=note)
    return step("workspace", found, result=size)._replace(note=note)
