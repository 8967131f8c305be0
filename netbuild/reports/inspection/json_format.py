"""A look as the JSON object that other programs read."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.escapes import of_json

if TYPE_CHECKING:
    from netbuild.reports.inspection.look import LayerLook, Look, Values


def as_json(look: Look) -> str:
    """Return a look as JSON. A number that does not exist or is not finite is null."""
    document = {
        "name": look.name,
        "place": look.place,
        "weights": look.weights,
        "sample": look.sample,
        "samples": look.samples,
        "seed": look.seed,
        "objective": look.objective,
        "loss": _number(look.loss),
        "inputs": {name: _values(values) for name, values in look.inputs.items()},
        "layers": [_layer(one) for one in look.layers],
        "marks": [mark._asdict() for mark in look.marks],
        "notes": look.notes,
    }
    return of_json(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def _layer(one: LayerLook) -> dict[str, Any]:
    return {
        "path": one.path,
        "type": one.type,
        "line": one.line,
        "training": _values(one.training),
        "evaluation": _values(one.evaluation),
        "differs": one.differs,
        "modes": one.modes and one.modes._asdict(),
        "numbers": one.numbers and one.numbers._asdict(),
        "gradient": _number(one.gradient),
        "weights": {
            name: {"norm": _number(weight.norm), "gradient": _number(weight.gradient)}
            for name, weight in one.weights.items()
        },
    }


def _values(values: Values | None) -> dict[str, Any] | None:
    if values is None:
        return None
    return {n: _number(v) if isinstance(v, float) else v for n, v in values._asdict().items()}


def _number(x: float | None) -> float | None:
    return x if x is not None and math.isfinite(x) else None
