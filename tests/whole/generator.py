"""Draws whole files from a seed.

A file grows member by member. Each member is read by the reader as it is drawn, so that the next
one is drawn for the tensors that are there. Most members that do not fit are drawn again; a few
stay, and end the file: then both readings have to refuse it.
"""

from __future__ import annotations

import contextlib
import warnings
from typing import Any

import torch
import yaml

from tests.whole import drawing
from tests.whole.further import Further
from tests.whole.reader import Reader
from tests.whole.refusal import Refusal
from tests.whole.scope import Scope

TRIES = 5
KEEPS_A_FAULT = 0.03
_SHAPES = [[4], [8], [6, 4], [5, 8], [2, 6, 6], [4, 5, 5], [3, 8, 8], [1, 4, 4, 4], [], [1, 4]]
_STRANGE = ["input", "getattr", "size", "if", "forward", "1-a", "Aa", "self"]
_NAMES = "abcdefghijklmnopqrstuvwxyz"


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def text(tree: Any) -> str:
    """Return a tree as YAML."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100)


class Generator(Further):
    """Draws one file."""

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
        used = repr([layers, self.reader.blocks])
        tree["blocks"] = {k: v for k, v in self.reader.blocks.items() if f"'{k}'" in used}
        if not tree["blocks"]:  # what nothing uses is read without shapes, as far as that goes
            del tree["blocks"]
        tree["layers"] = layers
        shared = scope.before is not None and scope.before.shared
        if self.chance(0.9 if shared and not self.ended else 0.5, "outputs"):
            tree["outputs"] = self._outputs(scope)
        self._empty_blocks(tree)
        return tree

    def _empty_blocks(self, tree: dict[str, Any]) -> None:
        """Empty the blocks that stand only in members that `when` leaves out.

        Nothing arrives in them, so the reader cannot run their layers, and netbuild reads what is
        known without an input.
        """
        if "blocks" in tree:
            reader = Reader(tree)
            with contextlib.suppress(Refusal):
                reader.read()
                for name in set(tree["blocks"]) - reader.called:
                    tree["blocks"][name]["layers"] = ["Identity"]
                    tree["blocks"][name].pop("outputs", None)

    def _inputs(self) -> dict[str, Any]:
        def one() -> Any:
            if self.chance(0.2, "whole-number inputs"):
                dtype = self.rng.choice(["int64", "int64", "int64", "int32", "uint8", "bool"])
                return {"shape": self.rng.choice([[], [3], [4], [2, 3]]), "dtype": dtype}
            shape = self.rng.choice(_SHAPES)
            return shape if self.rng.random() < 0.8 else {"shape": shape}

        if self.chance(0.2, "inputs of masks"):
            return {"inputs": self.masks()}
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
                shape[-1]
                if default == "$in_features"
                else shape[0]
                if default == "$in_channels"
                else default
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
            key = self._name() if mapping else None
            if key is not None and self.chance(0.02, "keys with an index"):
                key += "$index"
            node = self._member(scope, key, depth)
            if node is None:
                continue
            if key is not None:
                is_type = isinstance(node, str) and node[:1].isupper()
                mapped[key] = {node: None} if is_type and key[:1].isupper() else node
            else:
                listed.append(node)
            if self.ended:
                break
        if mapping:
            return mapped or {self._name(): "Identity"}
        return listed or ["Identity"]

    def _name(self) -> str:
        self.fresh += 1
        if self.chance(0.006, "names with another meaning"):
            return self.rng.choice(
                ["input", "getattr", "size", "if", "forward", "1-a", "Aa", "self"]
            )
        if self.chance(0.02, "names of types"):
            return f"{self.rng.choice(['Self', 'LayerNorm', 'Mixed_5b_', 'self'])}{self.fresh}"
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
            parameter = isinstance(node, dict) and not {"Parameter", "Constant"}.isdisjoint(node)
            self.unread = scope.before if parameter else None
            last = next(reversed(scope.members), "")
            if isinstance(node, dict) and str(node.get("Formula")).startswith("clamp(x + 2, 1"):
                self.ends[last] = int(node["Formula"][:-1].split()[-1])
            return self.tied(scope, last, node) if depth == 0 else node
        return None

    def _drawn(self, scope: Scope, key: str | None, depth: int) -> Any:
        """Draw a member for a scope."""
        lengths = self._lengths(scope)
        if lengths is not None:
            return lengths
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
        elif draw < 0.60:
            node = (self._join if draw < 0.50 else self._further)(scope)
        else:
            node = self._hiding(scope) or (draw < 0.8 and self._unpool(scope))
        return self._modified(key, node or self._layer(scope))

    def _modified(self, key: str | None, node: Any) -> Any:
        if isinstance(node, str) and node.startswith("$"):
            return node
        modifiers: dict[str, Any] = {}
        if self.chance(0.10, "repeat") or (key or "").endswith("$index"):
            modifiers["repeat"] = self.rng.choice([1, 2, 2, 3])
        if self.chance(0.06, "when"):
            modifiers["when"] = self.rng.choice(
                [True, False, "$(1 < 2)", "$(len(in_shape) > 1)", "$(in_features > 4)"]
            )
        if self.chance(0.04, "freeze") and not (isinstance(node, dict) and "Reuse" in node):
            modifiers["freeze"] = True
        modifiers |= self.of_weights(node)
        if key is None and self.chance(0.25, "name"):
            modifiers["name"] = self._name()
            if "repeat" in modifiers and self.chance(0.5):
                modifiers["name"] += "$index"
        if not modifiers:
            return node
        if isinstance(node, str):
            return {node: None, **modifiers}
        if isinstance(node, list) or not any(k[:1].isupper() or k == "layers" for k in node):
            return {"layers": node, **modifiers}
        return {**node, **modifiers}

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
                    [
                        "Tanh",
                        {"ReLU": {"inplace": True}},
                        ["Sigmoid", "Tanh"],
                        {"Linear": "$in_features"},
                    ]
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
