"""Draws whole files from a seed.

A file grows member by member. Each member is read by the reader as it is drawn, so that the next
one is drawn for the tensors that are there. Most members that do not fit are drawn again; a few
stay, and end the file: then both readings have to refuse it.
"""

from __future__ import annotations

import random
import warnings
from typing import TYPE_CHECKING, Any

import torch
import yaml

from tests.whole import drawing
from tests.whole.reader import Reader
from tests.whole.refusal import Refusal
from tests.whole.scope import Scope

if TYPE_CHECKING:
    from tests.whole.network import Value

TRIES = 5
KEEPS_A_FAULT = 0.03
_SHAPES = [[4], [8], [6, 4], [5, 8], [2, 6, 6], [4, 5, 5], [3, 8, 8], [1, 4, 4, 4], [], [1, 4]]
_NAMES = "abcdefghijklmnopqrstuvwxyz"
_EXPRESSIONS = ["$w", "$(w)", "$(w // 2)", "$(w * 2)", "$(max(w, 3))", "$(w if deep else 4)"]


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def text(tree: Any) -> str:
    """Return a tree as YAML."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100)


class Generator:
    """Draws one file. `drawn` counts what it uses of the language."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.drawn: set[str] = set()
        self.ended = False
        self.fresh = 0
        self.unread: Value | None = None

    def chance(self, p: float, what: str = "") -> bool:
        """Return whether something is drawn."""
        hit = self.rng.random() < p
        if hit and what:
            self.drawn.add(what)
        return hit

    def file(self) -> str:
        """Return a file."""
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("error")
            return text(self._tree())

    def _tree(self) -> dict[str, Any]:
        tree: dict[str, Any] = self._inputs()
        if self.chance(0.5, "vars"):
            tree["vars"] = {
                "w": drawing.width(self.rng),
                "deep": self.rng.random() < 0.5,
                "act": self.rng.choice(["Tanh", {"LeakyReLU": 0.1}, {"ReLU": {"inplace": True}}]),
            }
        self.reader = Reader({**tree, "layers": []})
        if self.chance(0.35, "blocks"):
            tree["blocks"] = {}
            for name in self.rng.sample(["Body", "Unit"], self.rng.randint(1, 2)):
                tree["blocks"][name] = self._block()
                self.reader.blocks = tree["blocks"]
                if self.ended:
                    break
        self.reader.blocks = tree.get("blocks", {})
        self.ended = False
        scope = self.reader.root()
        scope.module = None
        layers = self._members(scope, self.rng.choice([3, 6, 9, 12]), 0)
        tree["layers"] = layers
        shared = scope.before is not None and scope.before.shared
        if self.chance(0.9 if shared and not self.ended else 0.5, "outputs"):
            tree["outputs"] = self._outputs(scope)
        return tree

    def _inputs(self) -> dict[str, Any]:
        def one() -> Any:
            if self.chance(0.2, "whole-number inputs"):
                dtype = self.rng.choice(["int64", "int64", "int64", "int32", "uint8", "bool"])
                return {"shape": self.rng.choice([[], [3], [4], [2, 3]]), "dtype": dtype}
            shape = self.rng.choice(_SHAPES)
            return shape if self.rng.random() < 0.8 else {"shape": shape}

        if self.chance(0.35, "several inputs"):
            pool = ["x", "y", "left", "right", "mask"]
            if self.chance(0.05, "inputs called as functions"):
                pool = ["getattr", "size", "add", "expand", "len", "chunk"]
            names = self.rng.sample(pool, self.rng.randint(1, 3))
            found = {name: one() for name in names}
            if self.rng.random() < 0.6:  # of one shape, so that they can be joined
                found = dict.fromkeys(found, found[names[0]])
            return {"inputs": found}
        return {"input": one()}

    def _block(self) -> dict[str, Any]:
        """Return a definition, drawn for a shape that may or may not arrive."""
        params: Any = {}
        if self.chance(0.8):
            params = {"width": self.rng.choice(["$in_features", 4, "$in_channels"]), "act": "ReLU"}
        if self.chance(0.3):
            params["deep"] = self.rng.random() < 0.5
        shape = self.rng.choice([[4], [8], [6, 4], [2, 6, 6]])
        value = self.reader.value(torch.rand(2, *shape))
        inner = Scope(dict(self.reader.variables), {"input": value}, None)
        for name, default in params.items():
            inner.variables[name] = (
                shape[-1] if default == "$in_features" else shape[0] if default == "$in_channels" else default
            )
        block = {"layers": self._members(inner, self.rng.choice([2, 3, 4]), 2)}
        if self.chance(0.4, "outputs of stacks"):
            block["outputs"] = self._outputs(inner)
        return {"params": params, **block} if params else block

    def _members(self, scope: Scope, most: int, depth: int) -> Any:
        """Return a stack, and leave its members in the scope."""
        mapping = self.rng.random() < 0.6
        mapped: dict[str, Any] = {}
        listed: list[Any] = []
        for _ in range(self.rng.randint((most + 1) // 2, most)):
            key = self._name(scope) if mapping else None
            node = self._member(scope, key, depth)
            if node is None:
                continue
            if key is not None:
                mapped[key] = node
            else:
                listed.append(node)
            if self.ended:
                break
        if mapping:
            return mapped or {self._name(scope): "Identity"}
        return listed or ["Identity"]

    def _name(self, scope: Scope) -> str:
        self.fresh += 1
        del scope
        return _NAMES[self.fresh % 26] + (str(self.fresh // 26) if self.fresh > 25 else "")

    def _member(self, scope: Scope, key: str | None, depth: int) -> Any:
        """Draw a member until it fits, and enter it into the scope."""
        for _ in range(TRIES):
            trial = scope.copy()
            steps = self.reader.network.steps
            done = len(steps)
            node = self._drawn(trial, key, depth)
            if self.ended:
                return node
            del steps[done:]  # of the members inside, which are now read as a whole
            try:
                self.reader.member(trial, key, node)
            except Refusal:
                del steps[done:]
                if self.chance(KEEPS_A_FAULT, "a fault on purpose"):
                    self.ended = True
                    return node
                continue
            vars(scope).update(vars(trial))
            parameter = isinstance(node, dict) and "Parameter" in node
            self.unread = scope.before if parameter else None
            return node
        return None

    def _drawn(self, scope: Scope, key: str | None, depth: int) -> Any:
        """Draw a member for a scope."""
        draw = self.rng.random()
        if self.unread is not None and scope.before == self.unread and draw < 0.85:
            node = self._join(scope)
        elif draw < 0.14 and depth < 2:
            node = self._stack(scope, depth)
        elif draw < 0.22 and scope.members:
            self.drawn.add("Reuse")
            node = {"Reuse": self._number(self.rng.choice(list(scope.members)))}
            if self.chance(0.7):
                node["inputs"] = self._ref(scope)[0]
        elif draw < 0.32 and self.reader.blocks:
            node = self._use(scope)
        elif draw < 0.37:
            node = self._parameter(scope)
        elif draw < 0.55:
            node = self._join(scope)
        else:
            node = self._layer(scope)
        return self._modified(scope, key, node)

    def _modified(self, scope: Scope, key: str | None, node: Any) -> Any:
        if isinstance(node, str) and node.startswith("$"):
            return node
        modifiers: dict[str, Any] = {}
        if self.chance(0.10, "repeat"):
            modifiers["repeat"] = self.rng.choice([1, 2, 2, 3])
        if self.chance(0.06, "when"):
            modifiers["when"] = self.rng.choice(
                [True, False, "$(1 < 2)", "$(len(in_shape) > 1)", "$(in_features > 4)"]
            )
        if self.chance(0.04, "freeze") and not (isinstance(node, dict) and "Reuse" in node):
            modifiers["freeze"] = True
        if key is None and self.chance(0.25, "name"):
            modifiers["name"] = self._name(scope)
            if "repeat" in modifiers and self.chance(0.5):
                modifiers["name"] += "$index"
        if not modifiers:
            return node
        if isinstance(node, str):
            return {node: None, **modifiers}
        if isinstance(node, list) or not any(k[:1].isupper() or k == "layers" for k in node):
            return {"layers": node, **modifiers}
        return {**node, **modifiers}

    def _number(self, name: str) -> Any:
        return int(name) if name.isdigit() and self.rng.random() < 0.7 else name

    def _refs(self, scope: Scope) -> list[tuple[str, Value]]:
        found = [(name, value) for name, value in scope.inputs.items() if name not in scope.names]
        for name, results in scope.names.items():
            found.append((name, next(iter(results.values()))))
            found += [(f"{name}.{port}", value) for port, value in results.items() if port and len(results) > 1]
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
        return list(x.shape if value.shared else x.shape[1:]), x.dtype

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
            reads = self._further(scope, kind, reads, value)
        if fields is None and not reads:
            return kind if self.rng.random() < 0.7 else {kind: None}
        return {kind: fields, **reads}

    def _further(
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
        for _ in known[1:]:
            refs.append(self.rng.choice(alike) if alike and self.chance(0.6) else self._ref(scope)[0])
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
            return len(shape) == len(other) > 1 and shape[-2] == other[-1]
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
        self.drawn.add("Parameter")
        if self.chance(0.08):
            fields["shape"] = "$in_shape"
        return {"Parameter": fields if len(fields) > 1 or self.rng.random() < 0.6 else fields["shape"]}

    def _use(self, scope: Scope) -> Any:
        name = self.rng.choice(list(self.reader.blocks))
        params = self.reader.blocks[name].get("params", {})
        argument: Any = None
        if params and self.rng.random() < 0.6:
            argument = {}
            if self.rng.random() < 0.7:
                argument["width"] = self.rng.choice([drawing.width(self.rng), "$in_features"])
            if self.rng.random() < 0.4:
                argument["act"] = self.rng.choice(
                    ["Tanh", {"ReLU": {"inplace": True}}, ["Sigmoid", "Tanh"], {"Linear": "$in_features"}]
                )
            if len(argument) == 1 and "width" in argument and self.rng.random() < 0.5:
                argument = argument["width"]
        reads, _ = self._reads(scope)
        self.drawn.add("uses of blocks")
        return {name: argument, **reads} if reads or argument is not None else name

    def _stack(self, scope: Scope, depth: int) -> Any:
        """Draw a stack with the members inside it."""
        self.drawn.add("nested stacks")
        if self.chance(0.4, "stacks of several inputs"):
            names = self.rng.sample(["a", "b", "skip", "body"], self.rng.randint(1, 3))
            drawn = {name: self._ref(scope) for name in names}
            reads: dict[str, Any] = {"inputs": {name: ref for name, (ref, _) in drawn.items()}}
            inputs = {name: value for name, (_, value) in drawn.items()}
        else:
            reads, value = self._reads(scope)
            inputs = {"input": value or self._ref(scope)[1]}
        inner = Scope(dict(scope.variables), inputs, None)
        members = self._members(inner, self.rng.choice([2, 3, 4]), depth + 1)
        if self.chance(0.45, "outputs of stacks") and not self.ended:
            reads["outputs"] = self._outputs(inner)
        return {**reads, "layers": members} if reads or self.rng.random() < 0.3 else members

    def _outputs(self, scope: Scope) -> Any:
        batched = [ref for ref in self._refs(scope) if not ref[1].shared or self.chance(0.03)]
        unread = self._unread(batched)[-4:]
        if unread and self.rng.random() < 0.7:  # so that few members are for nothing
            names = [self._number(name) for name, _ in unread]
        else:
            found = [self._number(name) for name, _ in batched or self._refs(scope)][-6:]
            names = self.rng.sample(found, min(len(found), self.rng.randint(1, 3)))
        if self.rng.random() < 0.4:
            return dict(zip(["first", "second", "third", "last"], names, strict=False))
        return names if len(names) > 1 or self.rng.random() < 0.5 else names[0]
