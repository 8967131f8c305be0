"""The bytes of a network, layer by layer: of its weights, and of what training keeps."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from netbuild.components.layers.formula import formula
from netbuild.components.tensor import BYTES
from netbuild.graph import memory
from netbuild.graph.value import Value, value_name
from netbuild.reports.explanation.step import Count, Step, reasons, step

if TYPE_CHECKING:
    from netbuild.components.tensor import Tensor
    from netbuild.graph.graph import Graph
    from netbuild.graph.inferred import Inferred
    from netbuild.graph.memory import Held, Kept
    from netbuild.graph.row import Row

_NOTHING_BEFORE = "neither it nor a layer before it learns, so backward does not come here"


@lru_cache(maxsize=1024)
def weights_bytes(params: int) -> Count:
    """Return the bytes of parameters, which are of float32."""
    return Count(4 * params, (step("", formula("4 B·params", params=params)),) if params else ())


def kept(graph: Graph) -> dict[str, Count]:
    """Return the bytes that training keeps of one sample, by the path of the layer."""
    pairs = zip(graph.rows, memory.kept(graph.rows), strict=True)
    return {row.path: _kept(row, found) for row, found in pairs}


def _kept(row: Row, found: Kept) -> Count:
    """Return what a layer keeps."""
    if not found.reached:
        return Count(0, (), _NOTHING_BEFORE)
    names = _names(row)
    steps = [_tensor(names[held.value], held) for held in found.tensors]
    if found.workspace:
        steps.append(_workspace(row.inferred))
    note = "" if steps else "its backward pass needs no values"
    return Count(found.nbytes, tuple(steps), note)


def _tensor(name: str, held: Held) -> Step:
    """Return the step of an input or a result, in whose memory others may lie."""
    if held.keeper is not None:
        return Step(name, "", "", 0, note=f"kept by {held.keeper} already")
    if held.is_weight:
        return Step(name, "", "", 0, note="a weight, and counted as one")
    found = _bytes(name, held.tensor)
    if held.place == held.value:
        return found
    return found._replace(note=f"the memory of {value_name(held.place)}, in which it lies")


@lru_cache(maxsize=1024)
def _bytes(name: str, tensor: Tensor) -> Step:
    """Return the step of the bytes of a tensor."""
    rule = formula(f"{BYTES[tensor.dtype]} B·∏ shape", shape=tensor.shape)
    return step(name, rule, result=tensor.nbytes)


def _names(row: Row) -> dict[Value, str]:
    """Return what a layer calls its inputs and results."""
    names = (*row.layer.inputs, *row.layer.optional_inputs)
    more = (f"input {number}" for number in range(len(names) + 1, len(row.sources) + 1))
    inputs = dict(zip(row.sources, (*names, *more), strict=False))
    return {Value(row.path, port): port for port in row.outputs} | inputs


@lru_cache(maxsize=1024)
def _workspace(inferred: Inferred) -> Step:
    """Return the step of what a layer keeps beside tensors that others know."""
    size, note = inferred.workspace, reasons(inferred.layer, "workspace")
    found = inferred.layer.formulas(*inferred.shapes).workspace
    if found is None:
        return Step("besides", "", "", size, note=note)
    return step("besides", found, result=size)._replace(note=note)
