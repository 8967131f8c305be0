"""Draws single members: layers, joins and Parameters for what is there."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import torch

from tests.whole import drawing
from tests.whole.masks import NAMED

if TYPE_CHECKING:
    from tests.whole.network import Value
    from tests.whole.reader import Reader
    from tests.whole.scope import Scope

_EXPRESSIONS = ["$w", "$(w)", "$(w // 2)", "$(w * 2)", "$(max(w, 3))", "$(w if deep else 4)"]
_EXPRESSIONS += ["$(ceil(w / 3))", "$(floor(exp(log(w) / 2) + sqrt(w)))"]


class Pieces:
    """Draws members from a seed. `drawn` counts what is used of the language."""

    reader: Reader

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311  the same files for a seed
        self.drawn: set[str] = set()
        self.ended = False
        self.fresh = 0
        self.unread: Value | None = None
        self.ends: dict[str, int] = {}
        self.ties: set[str] = set()

    def chance(self, p: float, what: str = "") -> bool:
        """Return whether something is drawn."""
        hit = self.rng.random() < p
        if hit and what:
            self.drawn.add(what)
        return hit

    def _number(self, name: str) -> Any:
        return int(name) if name.isdigit() and self.rng.random() < 0.7 else name

    def _refs(self, scope: Scope) -> list[tuple[str, Value]]:
        found = [(name, value) for name, value in scope.inputs.items() if name not in scope.names]
        for name, results in scope.names.items():
            found.append((name, next(iter(results.values()))))
            ports = [] if len(results) == 1 else results.items()
            found += [(f"{name}.{port}", value) for port, value in ports]
        return found

    def _ref(self, scope: Scope) -> tuple[Any, Value]:
        """Return a name and what it stands for; late members are drawn more often."""
        found = self._refs(scope)
        if self.rng.random() < 0.5:
            found = self._unread(found) or found
        elif len(found) > 4 and self.rng.random() < 0.5:
            found = found[-4:]
        name, value = self.rng.choice(found)
        if self.chance(0.004, "a wrong name"):
            name = self.rng.choice(["nothing", f"{name}.output", f"{name}.1", "input"])
        if "." in name:
            self.drawn.add("ports")
        return self._number(name), value

    def _unread(self, refs: list[tuple[str, Value]]) -> list[tuple[str, Value]]:
        """Return those that nothing has read so far."""
        read = {number for step in self.reader.network.steps for number in step.reads}
        return [(name, value) for name, value in refs if value.number not in read]

    def _reads(self, scope: Scope) -> tuple[dict[str, Any], Value | None]:
        """Return `inputs` for a member of one input, which may be left to the member before."""
        if scope.before is not None and self.rng.random() < 0.7:
            return {}, scope.before
        name, value = self._ref(scope)
        return {"inputs": name}, value

    def _shape(self, value: Value | None) -> tuple[list[int], torch.dtype]:
        if value is None:
            return [], torch.float32
        x = self.reader.values[value.number]
        return list(x.shape[1:]), x.dtype

    def _layer(self, scope: Scope) -> Any:
        reads, value = self._reads(scope)
        shape, dtype = self._shape(value)
        if "act" in scope.variables and not reads and self.chance(0.1, "an item in a variable"):
            return "$act"
        kind, fields = drawing.layer(
            self.rng,
            shape,
            floating=dtype.is_floating_point,
            whole=dtype in {torch.int64, torch.int32},
        )
        if kind == "Transpose" and isinstance(fields, list):
            fields = {"dim0": fields[0], "dim1": fields[1]}
        fields = self._expressed(fields, shape, scope.variables)
        if kind in {"RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell", "MultiheadAttention"}:
            reads = self._optional(scope, kind, reads, value)
        if kind in {"TransformerDecoderLayer", "TransformerDecoder", "Transformer"}:
            reads = self._two(scope, kind, value)
        causal = isinstance(fields, dict) and any(name.endswith("is_causal") for name in fields)
        if kind in NAMED and value is not None and not causal and self.rng.random() < 0.6:
            reads = self.named(scope, kind, reads, value)
        if fields is None and not reads:
            return kind if self.rng.random() < 0.7 else {kind: None}
        return {kind: fields, **reads}

    def _two(self, scope: Scope, kind: str, value: Value | None) -> dict[str, Any]:
        """Let a layer read a tensor and another sequence of the same width."""
        shape, _ = self._shape(value)
        refs = self._refs(scope)
        own = [name for name, v in refs if v == value]
        alike = [name for name, v in refs if self._shape(v)[0][1:] == shape[1:]]
        if not own:
            return {}
        names = [self._number(own[0]), self._number(self.rng.choice(alike))]
        self.drawn.add(kind)
        if self.rng.random() < 0.5:
            return {"inputs": names}
        keys = ["src", "tgt"] if kind == "Transformer" else ["tgt", "memory"]
        return {"inputs": dict(zip(keys, names, strict=True))}

    def _unpool(self, scope: Scope) -> Any:
        """Draw an unpooling for indices that are there; None if there are none."""
        refs = self._refs(scope)
        found = [(name, v) for name, v in refs if name.endswith(".indices")]
        if not found:
            return None
        indices, value = self.rng.choice(found)
        shape, _ = self._shape(value)
        alike = [name for name, v in refs if v != value and self._shape(v)[0] == shape]
        fields: dict[str, Any] = {"kernel_size": self.rng.choice([1, 2, 2, 3])}
        if self.chance(0.5):
            fields |= {"stride": self.rng.choice([1, 2]), "padding": self.rng.choice([0, 0, 1])}
        if self.chance(0.5) and value.number in self.reader.pooled:
            fields["output_size"] = list(self.reader.pooled[value.number][2:])
        self.drawn.add("MaxUnpool")
        name = self.rng.choice(alike) if alike else indices
        return {f"MaxUnpool{len(shape) - 1}d": fields, "inputs": [self._number(name), indices]}

    def _optional(
        self, scope: Scope, kind: str, reads: dict[str, Any], value: Value | None
    ) -> dict[str, Any]:
        """Add optional inputs now and then."""
        if value is None or not self.chance(0.3, "optional inputs"):
            return reads
        names = {"MultiheadAttention": ["query", "key", "value"], "LSTM": ["input", "h_0", "c_0"]}
        names["LSTMCell"] = ["input", "hx", "cx"]
        known = names.get(kind, ["input", "hx" if kind.endswith("Cell") else "h_0"])
        given = [name for name, v in self._refs(scope) if v == value] or [None]
        if given[0] is None:
            return reads
        refs = [self._number(given[0])]
        alike = [name for name, v in self._refs(scope) if name.endswith((".h_n", ".c_n", ".c_1"))]
        refs += [
            self.rng.choice(alike) if alike and self.chance(0.6) else self._ref(scope)[0]
            for _ in known[1:]
        ]
        if kind == "MultiheadAttention":
            refs = refs[: self.rng.randint(2, 3)]
        if self.rng.random() < 0.5:
            return {"inputs": refs}
        return {"inputs": dict(zip(known, refs, strict=False))}

    def _expressed(self, fields: Any, shape: list[int], variables: dict[str, Any]) -> Any:
        """Write a number as an expression now and then."""
        if not self.chance(0.2, "expressions"):
            return fields
        names = {f"${name}": v for name, v in variables.items() if type(v) is int}
        if shape:
            names |= {"$in_features": shape[-1], "$in_channels": shape[0]}
            names |= {f"$(in_shape[{at}])": n for at, n in enumerate(shape)}
            names["$(in_features * 2)"] = shape[-1] * 2

        def one(value: Any) -> Any:
            if type(value) is not int:
                return value
            equal = [name for name, v in names.items() if v == value]
            return self.rng.choice(equal) if equal else value

        if isinstance(fields, dict):
            return {
                key: [one(part) for part in value] if isinstance(value, list) else one(value)
                for key, value in fields.items()
            }
        if type(fields) is int and "w" in variables and self.rng.random() < 0.4:
            return self.rng.choice(_EXPRESSIONS)
        return [one(part) for part in fields] if isinstance(fields, list) else one(fields)

    def _join(self, scope: Scope) -> Any:
        _, kind, most = drawing.weighted(self.rng, drawing.JOINS)
        first, value = self._ref(scope)
        if self.rng.random() < 0.6:
            latest = [ref for ref in self._refs(scope) if ref[1] == scope.before]
            first, value = self.rng.choice(latest) if latest else (first, value)
        refs = [first]
        for _ in range(self.rng.randint(2, most) - 1):
            alike = [
                name
                for name, v in self._refs(scope)
                if self._fits(kind, v, value) and (name != first or self.rng.random() < 0.2)
            ]
            refs.append(self._number(self.rng.choice(alike)) if alike else self._ref(scope)[0])
        self.rng.shuffle(refs)
        fields: Any = None
        if kind == "Concat" and self.rng.random() < 0.3:
            fields = {"dim": -1}
        if kind in {"Add", "Subtract"} and len(refs) == 2 and self.rng.random() < 0.15:
            fields = {"alpha": 2}
        if kind == "Bilinear":
            fields = drawing.width(self.rng)
        self.drawn.add("joins")
        return {kind: fields, "inputs": refs}

    def _fits(self, kind: str, value: Value, first: Value) -> bool:
        shape, _ = self._shape(value)
        other, _ = self._shape(first)
        if kind == "Concat":
            return len(shape) == len(other) and shape[1:] == other[1:]
        if kind == "MatMul":
            ranks = len(shape) == len(other) or value.shared or first.shared
            return ranks and min(len(shape), len(other)) > 1 and shape[-2] == other[-1]
        if value.shared or first.shared:
            return shape[len(shape) - len(other) :] == other or other[-len(shape) :] == shape
        return shape == other

    def _parameter(self, scope: Scope) -> Any:
        shape, _ = self._shape(self._ref(scope)[1])
        fields: dict[str, Any] = {"shape": shape}
        if self.chance(0.35, "Parameter without a batch axis"):
            fields["batch_axis"] = False
            if shape and self.rng.random() < 0.5:
                fields["shape"] = shape[1:]
        elif shape and self.rng.random() < 0.2:
            fields["shape"] = [1, *shape[1:]]
        if shape and self.chance(0.15, "Constant"):
            return {"Constant": self._constant([*fields["shape"]])}
        self.drawn.add("Parameter")
        if self.chance(0.08):
            fields["shape"] = "$in_shape"
        return {
            "Parameter": fields if len(fields) > 1 or self.rng.random() < 0.6 else fields["shape"]
        }

    def _constant(self, shape: list[int]) -> Any:
        """Draw a constant of floats with this shape, perhaps in `state_dict()`."""
        size = shape[0] if len(shape) == 1 else 0
        chosen = [{"ones": shape}, {"full": [shape, 0.5]}, {"zeros": shape, "dtype": "float32"}]
        if size:
            chosen += [{"linspace": [-1, 1, size]}, {"arange": [float(size)]}]
            chosen += [{"value": [0.25] * size}]
        fields = self.rng.choice(chosen)
        if self.rng.random() < 0.3:
            fields = {**fields, "persistent": True}
        return fields
