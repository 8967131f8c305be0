"""The numbers of a layer. Equal layers share them, wherever they are in the network."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.layers.formula import AS_INPUT
from netbuild.reports.catalogue.entries import description
from netbuild.reports.explanation.step import Count, FormulaStep, Symbol, reason, step, symbol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.components.layers.formula import Equation, Formulas
    from netbuild.components.tensor import Tensor
    from netbuild.graph.inference import Inferred


class Numbers(NamedTuple):
    """The numbers that follow from the fields of a layer and the shapes of its inputs."""

    does: str
    #: The names of the inputs.
    inputs: tuple[str, ...]
    outputs: Mapping[str, tuple[FormulaStep, ...]]
    weights: tuple[FormulaStep, ...]
    macs: Count
    terms: tuple[Symbol, ...]


@lru_cache(maxsize=1024)
def numbers(inferred: Inferred) -> Numbers:
    """Return the numbers of a layer, each with the steps to it."""
    layer = inferred.layer
    found = layer.formulas(*inferred.shapes)
    whole = inferred.macs if len(found.macs) == 1 else None
    macs = tuple(step(name, each, result=whole) for name, each in found.macs.items())
    shapes = inferred.weights
    weights = (step(name, each, shape=shapes.get(name)) for name, each in found.weights.items())
    outputs = {
        port: _sizes(inferred, tensor, found.results.get(port, found.sizes))
        for port, tensor in inferred.outputs.items()
    }
    return Numbers(
        does=description(type(layer)),
        inputs=_inputs(inferred),
        outputs=outputs,
        weights=tuple(weights),
        macs=Count(inferred.macs, macs, reason(layer, "macs") if inferred.macs else ""),
        terms=tuple(_symbols(found)),
    )


def _inputs(inferred: Inferred) -> tuple[str, ...]:
    """Return the names of a layer's inputs. Inputs without a name of their own get a number."""
    names = inferred.layer.input_names(len(inferred.inputs))
    if inferred.layer.variadic:
        names = inferred.layer.inputs
    more = range(len(names) + 1, len(inferred.inputs) + 1)
    return (*names, *(f"input {number}" for number in more))


def _sizes(
    inferred: Inferred, y: Tensor, sizes: Mapping[str, Equation] | None
) -> tuple[FormulaStep, ...]:
    """Return a step for each axis of a result, or one step if it has the shape of the input."""
    if sizes is None:
        return (FormulaStep("shape", AS_INPUT, "", None, y.shape),) if inferred.inputs else ()
    pairs = zip(sizes.items(), y.shape, strict=True)
    return tuple(step(name, size, result=n) for (name, size), n in pairs)


def _symbols(found: Formulas) -> Iterator[Symbol]:
    """Yield the names in the formulas of a layer that are not fields."""
    results = [sizes.values() for sizes in found.results.values()]
    groups = [(found.sizes or {}).values(), found.weights.values(), found.macs.values(), *results]
    formulas = [formula for group in groups for formula in group]
    formulas += [found.workspace] if found.workspace else []
    terms = (symbol(name, meaning, formulas) for name, meaning in found.terms.items())
    return (one for one in terms if one.values)
