"""The format of explanations for other programs."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.escapes import of_json
from netbuild.reports.explanation import LayerExplanation, StackExplanation
from netbuild.reports.explanation.origins import said
from netbuild.reports.explanation.step import Count, FormulaStep

if TYPE_CHECKING:
    from netbuild.reports.explanation import Explanation
    from netbuild.reports.explanation.first_values import Beginning
    from netbuild.reports.explanation.origins import ValueOrigin


def as_json(explanation: Explanation) -> str:
    """Return an explanation as the JSON object that other programs read."""
    layers = [_layer(part) for part in explanation.parts if isinstance(part, LayerExplanation)]
    stacks = [
        {"path": part.path, "type": part.type, "layers": part.layers, **_sums(part)}
        for part in explanation.parts
        if isinstance(part, StackExplanation)
    ]
    name = explanation.graph.config.name
    document: dict[str, Any] = {"name": name, "layers": layers, "stacks": stacks}
    if explanation.total:
        document["totals"] = _sums(explanation.total)
        if explanation.total.objective:
            document |= explanation.total.objective.as_json()
        if explanation.total.augmenting:
            document["augment"] = [one._asdict() for one in explanation.total.augmenting]
        if explanation.total.schedules:
            document["schedules"] = [one._asdict() for one in explanation.total.schedules]
    return _json(document)


def _json(value: Any, before: str = "\n") -> str:
    """Return a value as `json.dumps` writes it. Unlike there, repeated values are cached."""
    if isinstance(value, (Count, FormulaStep)):
        return _cached_json(value, before)
    inside, start, end = f"{before}  ", "[", "]"
    if isinstance(value, dict):
        parts = [f"{_scalar(name)}: {_json(each, inside)}" for name, each in value.items()]
        start, end = "{", "}"
    elif isinstance(value, (tuple, list)):
        parts = [_json(each, inside) for each in value]
    else:
        return json.dumps(value) if isinstance(value, float) else _scalar(value)
    return f"{start}{inside}{f',{inside}'.join(parts)}{before}{end}" if parts else start + end


@lru_cache(maxsize=1024, typed=True)
def _scalar(value: Any) -> str:
    """Return a scalar. Floats are excluded: the cache cannot tell -0.0 from 0.0."""
    return of_json(json.dumps(value, ensure_ascii=False))


@lru_cache(maxsize=1024)
def _cached_json(value: Count | FormulaStep, before: str) -> str:
    """Return a number with its steps. Many layers of a network share these."""
    if isinstance(value, Count):
        return _json({"total": value.total, "steps": value.steps, "note": value.note}, before)
    names = {"name": value.name, "formula": value.rule, "numbers": value.numbers}
    return _json(names | {"result": value.result, "shape": value.shape, "note": value.note}, before)


def _layer(part: LayerExplanation) -> dict[str, Any]:
    row, seen = part.row, part.field
    again = {"reuses": row.reuses} if row.reuses else {}
    return again | {
        "path": row.path,
        "type": row.type,
        **({"formula": row.layer.written} if row.layer.written else {}),
        "line": row.span.line,
        "inputs": [{"name": name, "shape": x.shape, "from": at} for name, x, at in part.reads],
        "outputs": {
            port: {"shape": row.outputs[port].shape, "steps": steps}
            for port, steps in part.outputs.items()
        },
        "modes": part.modes and part.modes._asdict(),
        "receptive_field": {"size": seen.size, "steps": seen.steps, "note": seen.note},
        **_sums(part),
        "first_values": {one.parameter: _beginning(one) for one in part.begins},
        "values": [_origin(origin) for origin in part.origins],
        "terms": [one._asdict() for one in part.terms],
    }


def _sums(part: LayerExplanation | StackExplanation) -> dict[str, Count]:
    return {
        "params": part.params,
        "macs": part.macs,
        "weights_bytes": part.weights_bytes,
        "activations_bytes": part.kept,
    }


def _plain(value: Any) -> Any:
    """Return a value of a field or of a name as JSON has it; an item as its text in the file."""
    if type(value) in {list, tuple}:
        return [_plain(part) for part in value]
    return value if isinstance(value, (bool, int, float, str, type(None))) else said(value)


def _beginning(one: Beginning) -> dict[str, Any]:
    return {
        "distribution": one.first.distribution,
        **one.first.values,
        "formula": one.first.rule,
        "numbers": one.numbers,
        "result": one.result,
        "note": one.first.note,
        "from": one.place,
    }


def _origin(origin: ValueOrigin) -> dict[str, Any]:
    return {
        "name": origin.name,
        "value": _plain(origin.value),
        "kind": origin.kind,
        "from": origin.place,
        "expression": origin.text,
        "names": [_origin(inner) for inner in origin.through],
    }
