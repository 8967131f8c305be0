"""Explanations for other programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from netbuild.explanation import Explained, Summed
from netbuild.explanation.origins import said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.explanation import Explanation
    from netbuild.explanation.origins import Origin
    from netbuild.explanation.step import Step


def as_json(explanation: Explanation) -> str:
    """Return an explanation as the JSON object that other programs read."""
    layers = [_layer(part) for part in explanation.parts if isinstance(part, Explained)]
    stacks = [
        {"path": part.path, "type": part.type, "layers": part.layers, **_sums(part)}
        for part in explanation.parts
        if isinstance(part, Summed)
    ]
    name = explanation.graph.config.name
    document: dict[str, Any] = {"name": name, "layers": layers, "stacks": stacks}
    if explanation.total:
        document["totals"] = _sums(explanation.total)
    return json.dumps(document, indent=2, ensure_ascii=False)


def _layer(part: Explained) -> dict[str, Any]:
    row, seen = part.row, part.field
    again = {"reuses": row.reuses} if row.reuses else {}
    return again | {
        "path": row.path,
        "type": row.type,
        "line": row.span.line,
        "inputs": [{"name": name, "shape": x.shape, "from": at} for name, x, at in part.reads],
        "outputs": {
            port: {"shape": row.outputs[port].shape, "steps": _steps(steps)}
            for port, steps in part.outputs.items()
        },
        "receptive_field": {"size": seen.size, "steps": _steps(seen.steps), "note": seen.note},
        **_sums(part),
        "values": [_origin(origin) for origin in part.origins],
        "terms": [one._asdict() for one in part.terms],
    }


def _sums(part: Explained | Summed) -> dict[str, Any]:
    counts = {
        "params": part.params,
        "macs": part.macs,
        "weights_bytes": part.weights_bytes,
        "activations_bytes": part.kept,
    }
    return {
        name: {"total": count.total, "steps": _steps(count.steps), "note": count.note}
        for name, count in counts.items()
    }


def _steps(steps: Sequence[Step]) -> list[dict[str, Any]]:
    return [
        {
            "name": step.name,
            "formula": step.rule,
            "numbers": step.numbers,
            "result": step.result,
            "shape": step.shape,
            "note": step.note,
        }
        for step in steps
    ]


def _origin(origin: Origin) -> dict[str, Any]:
    simple = isinstance(origin.value, (bool, int, float, str, list, type(None)))
    plain = simple or (type(origin.value) is tuple)
    return {
        "name": origin.name,
        "value": origin.value if plain else said(origin.value),
        "kind": origin.kind,
        "from": origin.place,
        "expression": origin.text,
        "names": [_origin(inner) for inner in origin.through],
    }
