"""Draws formulas, masks, lengths, operations of several inputs, and modifiers of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from tests.whole import drawing
from tests.whole.masks import ATTENTIONS, NAMED
from tests.whole.pieces import Pieces

if TYPE_CHECKING:
    from tests.whole.network import Value
    from tests.whole.scope import Scope

_FUNCTIONS = ["abs", "cos", "erf", "exp", "gelu", "relu", "sigmoid", "silu", "sin", "square"]
_FUNCTIONS += ["softplus", "tanh", "expm1", "mish"]
_FORMS = ["({} + {})", "({} - {})", "({} * {})", "({} / (2 + abs({})))", "where({} > 0, {}, 0.5)"]
_FORMS += ["minimum({}, {})", "maximum({}, {})", "clamp({}, -1, 1)", "0.5 * {}", "{} ** 2"]
_FORMS += ["(1 - {})", "where({} < 0.5, {}, 0)", "leaky_relu({}, 0.1)", "lerp({}, {}, 0.5)"]
_WEIGHTS = {"Linear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d"}
_PARAMETRIZATIONS = ["spectral_norm", "weight_norm", "orthogonal", {"weight": "spectral_norm"}]
_PARAMETRIZATIONS += [{"weight": {"weight_norm": {"dim": 1}}}]
#: The name of an input that becomes lengths.
COUNTS = "n"


class Further(Pieces):
    """Draws single members. `ends` are lengths that a formula has made, with the largest one."""

    def masks(self) -> dict[str, Any]:
        """Return inputs with masks and lengths."""
        length, heads = self.rng.choice([4, 5, 6]), self.rng.choice([[], [1], [2]])
        dtype = self.rng.choice(["bool", "bool", "float32"])
        found: dict[str, Any] = {
            "pad": {"shape": [length], "dtype": self.rng.choice(["bool", "bool", "float32"])},
            "seen": {"shape": [*heads, length, length], "dtype": dtype},
            COUNTS: {"shape": [], "dtype": "int64"},
        }
        names = self.rng.sample([*found], self.rng.randint(1, 3))
        return {"x": [length, self.rng.choice([4, 4, 6])], **{name: found[name] for name in names}}

    def _lengths(self, scope: Scope) -> Any:
        """Draw lengths from 1 on; the input's numbers begin with 0."""
        if COUNTS not in scope.inputs or self.ends or not self.chance(0.9):
            return None
        most = self.reader.values[scope.inputs["x"].number].shape[1] if "x" in scope.inputs else 3
        return {"Formula": f"clamp(x + 2, 1, {most})", "inputs": COUNTS}

    def _hiding(self, scope: Scope) -> Any:
        """Draw a layer that reads masks or lengths, where there are some."""
        if not self.ends and not {"pad", "seen"} & scope.inputs.keys():
            return None
        name, value = self._ref(scope)
        shape, dtype = self._shape(value)
        if len(shape) != 2 or not dtype.is_floating_point or not self.chance(0.5):
            return None
        table = [entry for entry in drawing.RANKS[2] if entry[1] in NAMED]
        if self.ends:
            table = [entry for entry in table if "lengths" in NAMED[entry[1]]]
        _, kind, draw = drawing.weighted(self.rng, table)
        fields = draw(self.rng, shape)
        if isinstance(fields, dict):
            fields = {key: v for key, v in fields.items() if not key.endswith("is_causal")}
        reads: dict[str, Any] = {"inputs": name}
        if "Decoder" in kind or kind == "Transformer":
            reads = self._two(scope, kind, value)
        return {kind: fields, **self.named(scope, kind, reads, value)}

    def named(self, scope: Scope, kind: str, reads: dict[str, Any], value: Value) -> dict[str, Any]:
        """Add masks or lengths that fit, by name."""
        given = reads.get("inputs")
        names = {"RNN": ["input", "h_0", "c_0"], "Transformer": ["src", "tgt"]}
        order = names.get(kind, ["query", "key", "value"] if "Attention" in kind else [])
        order = names["RNN"] if kind in {"GRU", "LSTM"} else order
        order = order or (["src"] if "Encoder" in kind else ["tgt", "memory"])
        if given is None:
            own = [name for name, v in self._refs(scope) if v == value]
            given = own[:1]
        if not isinstance(given, dict):
            given = dict(zip(order, given if isinstance(given, list) else [given], strict=False))
        found = self._mask_refs(scope, kind, given)
        if not given or not found:
            return reads
        self.drawn.add("lengths" if "lengths" in found else "masks")
        return {"inputs": {**given, **found}}

    def _mask_refs(self, scope: Scope, kind: str, given: dict[str, Any]) -> dict[str, Any]:
        refs = dict(self._refs(scope))
        by_name = {str(name): value for name, value in refs.items()}
        try:
            shapes = [self._shape(by_name[str(name)])[0] for name in given.values()]
        except KeyError:  # a wrong name, drawn on purpose
            return {}
        found = {}
        for name in NAMED[kind]:
            if name == "lengths":
                fits = [ref for ref in refs if self.ends.get(ref, 99) <= shapes[0][0]]
            else:
                fits = [ref for ref, v in refs.items() if self._hides(kind, name, shapes, v)]
            if fits and self.chance(0.8):
                found[name] = self._number(self.rng.choice(fits))
        return found

    def _hides(self, kind: str, name: str, shapes: list[list[int]], value: Value) -> bool:
        shape, dtype = self._shape(value)
        if dtype not in {torch.bool, torch.float32}:
            return False
        places = ATTENTIONS.get(kind, [("attn_mask", "", 0, 1)])
        _, padding, asks, seen = next(one for one in places if name in one[:2])
        query, key = shapes[asks], shapes[min(seen, len(shapes) - 1)]
        if len(query) < 2 or len(key) < 2:
            return False
        if name == padding:
            return shape == [key[0]]
        return shape[-2:] == [query[-2], key[-2]] and len(shape) in {2, 3}

    def _alike(self, scope: Scope, most: int) -> list[tuple[Any, Value]]:
        """Return references to one value or several of its shape."""
        first, value = self._ref(scope)
        found = [(first, value)]
        for _ in range(self.rng.randint(1, most) - 1):
            refs = [ref for ref in self._refs(scope) if self._fits("Add", ref[1], value)]
            if refs:
                name, other = self.rng.choice(refs)
                found.append((self._number(name), other))
        return found

    def _formula(self, scope: Scope) -> Any:
        refs = self._alike(scope, 3)
        names = ["x", "m", "v"][: len(refs)]
        text = self._term(names, self.rng.choice([1, 2, 2, 3]))
        text += "".join(f" + {name}" for name in names if name not in text)
        reads: Any = refs[0][0]
        if len(refs) > 1 or self.rng.random() < 0.3:
            reads = dict(zip(names, [name for name, _ in refs], strict=True))
        self.drawn.add("Formula")
        return {"Formula": text, "inputs": reads}

    def _term(self, names: list[str], depth: int) -> str:
        if depth == 0:
            return self.rng.choice(names)
        if self.rng.random() < 0.4:
            return f"{self.rng.choice(_FUNCTIONS)}({self._term(names, depth - 1)})"
        form = self.rng.choice(_FORMS)
        return form.format(*(self._term(names, depth - 1) for _ in range(form.count("{}"))))

    def _further(self, scope: Scope) -> Any:
        """Draw a formula, or an operation of several inputs."""
        draws = [self._chosen, self._einsum, self._attention, *[self._formula] * 3]
        return self.rng.choice(draws)(scope)

    def _chosen(self, scope: Scope) -> Any:
        """Draw an operation that reads positions."""
        positions = [(name, v) for name, v in self._refs(scope) if self._shape(v)[1] == torch.int64]
        if not positions:
            return None
        name, value = self.rng.choice(positions)
        rank = len(self._shape(value)[0])
        if not rank or self.rng.random() < 0.3:
            return {"OneHot": 9, "inputs": self._number(name)}
        alike = [n for n, v in self._refs(scope) if len(self._shape(v)[0]) == rank]
        kind = self.rng.choice(["Gather", "TakeAlongDim"])
        self.drawn.add(kind)
        reads = [self._number(self.rng.choice(alike)), self._number(name)]
        return {kind: self.rng.choice([-1, self.rng.randint(1, rank)]), "inputs": reads}

    def _einsum(self, scope: Scope) -> Any:
        refs = self._alike(scope, 2)
        shapes = [self._shape(value)[0] for _, value in refs]
        if not shapes[0] or len({len(shape) for shape in shapes}) > 1:
            return None
        letters = "ijkl"[: len(shapes[0])]
        terms, left = [letters], [*letters]
        if len(shapes) > 1:
            other = letters[:-2] + "m" + letters[-1] if len(letters) > 1 else letters
            other = self.rng.choice([letters, other])
            terms, left = [letters, other], [*{*letters, *other}]
        left = self.rng.sample(sorted(left), self.rng.randint(1, len(left)))
        self.drawn.add("Einsum")
        equation = ",".join(f"b{term}" for term in terms) + "->b" + "".join(left)
        return {"Einsum": equation, "inputs": [name for name, _ in refs]}

    def _attention(self, scope: Scope) -> Any:
        kind = "ScaledDotProductAttention"
        (first, value), *others = self._alike(scope, 3)
        if len(self._shape(value)[0]) < 2 or not self._shape(value)[1].is_floating_point:
            return None
        names = [first, *(name for name, _ in others)]
        reads: dict[str, Any] = {"inputs": [*names, *[names[-1]] * (3 - len(names))]}
        reads = self.named(scope, kind, reads, value)
        self.drawn.add(kind)
        masked = isinstance(reads["inputs"], dict) and "attn_mask" in reads["inputs"]
        fields = self.rng.choice([None, {"scale": 0.5}, {"is_causal": not masked}])
        return {kind: fields, **reads}

    def of_weights(self, node: Any) -> dict[str, Any]:
        """Return a modifier of weights, now and then."""
        kind = next(iter(node), "") if isinstance(node, dict) else "layers"
        stack = kind == "layers" or kind in self.reader.blocks or kind[:1].islower()
        if stack and self.chance(0.15, "checkpoint"):
            return {"checkpoint": True}
        if kind in _WEIGHTS and self.chance(0.08, "parametrize"):
            return {"parametrize": self.rng.choice(_PARAMETRIZATIONS)}
        return {}

    def tied(self, scope: Scope, name: str, node: Any) -> Any:
        """Tie the weight of a layer to one of its shape, now and then."""
        made = scope.members.get(name)
        if not isinstance(node, dict) or {"repeat", "when", "parametrize", "Reuse"} & {*node}:
            return node
        own = getattr(getattr(made, "layer", None), "module", None)
        weight = getattr(own, "weight", None)
        if weight is None or len(weight.shape) < 2 or not self.chance(0.5):
            return node
        fits = []
        for other, one in scope.members.items():
            module = getattr(getattr(one, "layer", None), "module", None)
            if module is not None and one is not made and other not in self.ties:
                names = dict(module.named_parameters())
                fits += [f"{other}.{n}" for n, p in names.items() if p.shape == weight.shape]
        fits = [path for path in fits if "parametrizations" not in path]
        if not fits:
            return node
        self.drawn.add("tie")
        self.ties.add(name)
        return {**node, "tie": {"weight": self.rng.choice(fits)}}
