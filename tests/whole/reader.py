"""A second reading of the language, from `docs/language.md` alone, into plain modules of torch.

It shares no code with netbuild. Sizes are found by running torch: while a file is read, every layer
runs once with two samples, and the next layer sees the tensors that arrive.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch

from tests.whole import layers, modules, weights
from tests.whole.blocks import parameters
from tests.whole.expression import evaluated
from tests.whole.inputs import expect_names, like, shapes, zeros
from tests.whole.members import container, names_index, ordered, parts, path, register, types
from tests.whole.modules import ports
from tests.whole.names import of_member
from tests.whole.network import REFUSALS, Network, Step, Value
from tests.whole.operations import OPERATIONS
from tests.whole.refusal import Refusal
from tests.whole.repeating import as_the_module_reads, for_each_sample
from tests.whole.scope import Inputs, Made, Results, Scope, chained, first
from tests.whole.text import parse, written

if TYPE_CHECKING:
    from collections.abc import Mapping

BATCH = 2
_OF_WEIGHTS = ("checkpoint", "tie", "parametrize")


class Reader:
    """Reads one file. `values` holds the tensors that arrived, by number."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self.tree = tree
        self.network = Network()
        self.values: list[torch.Tensor] = []
        self.variables: dict[str, Any] = {}
        for name, value in (tree.get("vars") or {}).items():
            self.variables[name] = evaluated(value, self.variables)
        self.inputs = shapes(tree, self.variables)
        self.blocks = tree.get("blocks") or {}
        self.depth = 0
        self.again = False
        self.called: set[str] = set()
        self.pooled: dict[int, torch.Size] = {}

    def root(self) -> Scope:
        """Return the scope of the whole network, before its first member."""
        inputs = {
            name: self.value(x)
            for name, x in zip(self.inputs, zeros(self.inputs, BATCH), strict=True)
        }
        self.network.reads = [value.number for value in inputs.values()]
        return Scope(self.variables, inputs, self.network)

    def read(self) -> Network:
        """Return the network of the file.

        Raises:
            Refusal: the file is not accepted.
        """
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("error")
            expect_names(self.inputs)
            scope = self.root()
            self.stack(scope, self.tree["layers"])
            gives = scope.outputs(evaluated(self.tree.get("outputs"), self.variables))
            self.network.gives = for_each_sample(self, gives)
        self.network.pruned()
        weights.tied(self.network)
        return self.network

    def value(self, x: torch.Tensor, *, shared: bool = False) -> Value:
        """Return a new value of the network."""
        self.values.append(x)
        return Value(len(self.values) - 1, shared)

    def known(self, variables: dict[str, Any], value: Value | None) -> dict[str, Any]:
        """Return the names that an expression knows where a value arrives."""
        if value is None:
            return variables
        x = self.values[value.number]
        shape = list(x.shape[1:])
        ends = {"in_channels": shape[0], "in_features": shape[-1]} if shape else {}
        return {**variables, "in_shape": shape, **ends}

    def stack(self, scope: Scope, node: Any) -> None:
        """Read all members of a stack."""
        if not isinstance(node, list | dict) or not node or types(node):
            raise Refusal("a stack needs a member, and is no item", scope.path)
        if isinstance(node, list):
            for member in node:
                self.member(scope, None, member)
        else:
            for key, member in node.items():
                self.member(scope, written(key), member)
        if scope.original is not None and set(scope.members) != set(scope.original.children):
            raise Refusal("reused with other members", scope.path)

    def member(self, scope: Scope, key: str | None, node: Any) -> None:
        """Read a member into its stack; `key` is its name in a mapping."""
        if isinstance(node, str):
            node = evaluated(node, self.known(scope.variables, scope.before))
        kind, argument, modifiers = parts(node)
        variables = scope.variables
        inputs = self._inputs(scope, kind, evaluated(modifiers.get("inputs"), variables))
        arrives = first(inputs) if inputs else scope.before
        names = self.known(variables, arrives)
        when = evaluated(modifiers.get("when", True), names)
        repeat = evaluated(modifiers.get("repeat"), names)
        settings = {
            "freeze": bool(evaluated(modifiers.get("freeze", False), names)) or scope.freeze,
            "outputs": modifiers.get("outputs"),
            **{name: evaluated(modifiers.get(name), names) for name in _OF_WEIGHTS},
        }
        if modifiers.get("checkpoint") is not None and kind not in {"layers", *self.blocks}:
            raise Refusal("checkpoint is for stacks")
        if not isinstance(when, bool):
            raise Refusal("when is true or false")
        if repeat is not None and (isinstance(repeat, bool) or not isinstance(repeat, int)):
            raise Refusal("repeat is a whole number")
        if repeat is not None and repeat < 1:
            raise Refusal("repeat is at least 1")
        name = modifiers.get("name")
        if name is not None and key is not None:
            raise Refusal("a member has one name")
        own = key if name is None else name
        place = "name" if key is None else "key"
        indexed = place if repeat is not None and isinstance(own, str) and names_index(own) else ""
        if name is not None and not indexed:
            own = evaluated(name, names)
        if own is not None and not indexed:
            of_member(own, by_key=name is None)
        if not when:
            evaluated(modifiers.get("outputs"), names)  # as all its modifiers are
            self._left_out(scope, own, arrives)
            return
        self._placed(scope, own, (kind, argument, settings), inputs, repeat, indexed)

    def _inputs(self, scope: Scope, kind: str, given: Any) -> Inputs:
        if kind in {"Parameter", "Constant"}:
            if given is not None:
                raise Refusal(f"a {kind} reads nothing")
            return []
        if given is not None:
            return scope.wires(given)
        if scope.before is None:
            raise Refusal("the first member does not say what it reads", scope.path)
        return [scope.before]

    def _left_out(self, scope: Scope, name: str | None, arrives: Value | None) -> None:
        if name is not None:
            scope.free(name)
            if arrives is not None:  # a Parameter above all members stands for nothing
                scope.names[name] = {"": arrives}
        scope.before = arrives

    def _placed(
        self,
        scope: Scope,
        name: str | None,
        member: tuple[str, Any, dict[str, Any]],
        inputs: Inputs,
        repeat: int | None,
        indexed: str,
    ) -> None:
        if repeat is None:
            own = str(scope.position) if name is None else name
            self._one(scope, own, member, inputs, {})
        elif name is None or indexed:
            for index in range(repeat):
                own = str(scope.position)
                if name is not None:
                    names = self.known(scope.variables, first(inputs) or scope.before)
                    own = evaluated(name, {**names, "index": index})
                    of_member(own, by_key=indexed == "key")
                results = self._one(scope, own, member, inputs, {"index": index})
                inputs = chained(inputs, next(iter(results.values()))) if inputs else inputs
        else:
            self._copies(scope, name, member, inputs, repeat)

    def _one(
        self,
        scope: Scope,
        name: str,
        member: tuple[str, Any, dict[str, Any]],
        inputs: Inputs,
        index: dict[str, int],
    ) -> Results:
        """Read one copy of a member, and enter it into its stack."""
        scope.free(name)
        results, made = self._made(scope, name, member, inputs, index)
        scope.names[name], scope.members[name] = results, made
        scope.before = next(iter(results.values()))
        scope.position += 1
        return results

    def _copies(
        self,
        scope: Scope,
        name: str,
        member: tuple[str, Any, dict[str, Any]],
        inputs: Inputs,
        repeat: int,
    ) -> None:
        """Read copies that form a stack of their own, called 0, 1 and so on."""
        scope.free(name)
        if member[0] == "Reuse":
            raise Refusal("the copies form a stack of their own")
        module = container(scope, name)

        def again(values: Inputs, original: Made | None) -> tuple[Results, Made]:
            values = like(inputs, values)
            inner = Scope(scope.variables, {}, module, path(scope, name), original=original)
            inner.before = None if values else scope.before
            results: Results = {}
            for number in range(repeat):
                results = self._one(inner, str(number), member, values, {"index": number})
                values = chained(values, next(iter(results.values()))) if values else values
            # The copies form a stack, which has no outputs but its last result.
            results = {"output": next(iter(results.values()))}
            self._called(values, results)
            return results, Made(lambda x: again(x, made)[0], children=inner.members)

        made = None
        results, made = again(inputs, scope.original and scope.original.children.get(name))
        scope.names[name], scope.members[name] = results, made
        scope.before = next(iter(results.values()))
        scope.position += 1

    def _made(
        self,
        scope: Scope,
        name: str,
        member: tuple[str, Any, dict[str, Any]],
        inputs: Inputs,
        index: dict[str, int],
    ) -> tuple[Results, Made]:
        kind, argument, settings = member
        original = None
        if scope.original is not None and kind != "Reuse":
            original = scope.original.children.get(name)
            if original is None:
                raise Refusal("reused with other members", path(scope, name))
        variables = {**scope.variables, **index}
        try:
            if kind == "Reuse":
                names = self.known(variables, first(inputs))
                return self._reuse(scope, name, evaluated(argument, names), inputs)
            if kind == "layers" or kind in self.blocks:
                return self._inner(scope, name, member, inputs, variables, original)
            member = (layers.known(kind), argument, settings)
            return self._layer(scope, name, member, inputs, variables, original)
        except Refusal as refusal:
            if not refusal.path:
                refusal.path = path(scope, name)
            raise
        except REFUSALS as error:
            raise Refusal(f"{type(error).__name__}: {error}", path(scope, name)) from error

    def _reuse(self, scope: Scope, name: str, target: Any, inputs: Inputs) -> tuple[Results, Made]:
        made = scope.members.get(written(target))
        if made is None:
            raise Refusal(f"nothing to reuse is called {target}")
        steps = self.network.steps
        done = len(steps)
        results = made.again(inputs)
        original = path(scope, next(key for key, one in scope.members.items() if one is made))
        for at, step in enumerate(steps[done:], done):
            steps[at] = step._replace(path=path(scope, name) + step.path[len(original) :])
        return results, made

    def _inner(
        self,
        scope: Scope,
        name: str,
        member: tuple[str, Any, dict[str, Any]],
        inputs: Inputs,
        variables: dict[str, Any],
        original: Made | None,
    ) -> tuple[Results, Made]:
        """Read a stack or a block."""
        kind, argument, settings = member
        module = original.layer if original else container(scope, name)
        if isinstance(inputs, list) and len(inputs) != 1:
            raise Refusal("several inputs of a stack need names")
        given = inputs if isinstance(inputs, dict) else {"input": inputs[0]}
        expect_names(given)
        given = as_the_module_reads(self, original, given)
        node, outputs, inside = argument, settings["outputs"], variables
        if kind != "layers":
            self.called.add(kind)
            names = self.known(variables, first(inputs))
            inside = parameters(self, kind, argument, names, first(inputs))
            node, outputs = self.blocks[kind]["layers"], self.blocks[kind].get("outputs")
        inner = Scope(inside, dict(given), module, path(scope, name), settings["freeze"], original)
        begin, again = len(self.values), settings["checkpoint"] and not self.again
        self.depth, self.again = self.depth + 1, self.again or again
        if self.depth > 40:
            raise Refusal("a block that contains itself")
        self.stack(inner, node)
        self.depth, self.again = self.depth - 1, self.again and not again
        if again:
            reads = {value.number for value in given.values()}
            self.network.checkpoints.append((reads, range(begin, len(self.values))))
        results = inner.outputs(evaluated(outputs, self.known(inside, first(inputs))))
        self._called(given, results)
        batched = frozenset(name for name, value in given.items() if not value.shared)
        made = original or Made(_none, children=inner.members, layer=module, batched=batched)

        def call(values: Inputs) -> Results:
            values = like(inputs, values)
            return self._inner(scope, name, member, values, variables, made)[0]

        made.again = call
        return results, made

    def _called(self, inputs: Inputs, results: Results) -> None:
        """Remember what a stack reads and gives: it is called also if nobody reads its results."""
        reads = list(inputs.values()) if isinstance(inputs, dict) else inputs
        self.network.of_stacks.update(value.number for value in [*reads, *results.values()])

    def _layer(
        self,
        scope: Scope,
        name: str,
        member: tuple[str, Any, dict[str, Any]],
        inputs: Inputs,
        variables: dict[str, Any],
        original: Made | None,
    ) -> tuple[Results, Made]:
        kind, argument, settings = member
        values, named = ordered(kind, inputs)
        x = [self.values[value.number] for value in values]
        own = x[: len(x) - len(named)]
        shared = [value.shared for value in values]
        arrives = values[0] if values else scope.before
        given = layers.arguments(kind, evaluated(argument, self.known(variables, arrives)), own)
        plain = original.layer if original else layers.made(kind, given, own)
        if original and original.arguments != given:
            raise Refusal("reused with other arguments")
        if not original:
            self.network.kinds.update(["parametrize"] if settings["parametrize"] else [])
            weights.parametrized(plain.module, settings["parametrize"])
            self.network.ties += weights.ties(path(scope, name), plain.module, settings["tie"])
            register(scope, name, plain, freeze=settings["freeze"])
        layer = plain.with_names(len(own), named)
        call, x = layers.repeating(layer, x, shared)
        layers.expect_inputs(layer, x, shared)
        tensors = layer.call(*x)
        if any(t.numel() == 0 for t in tensors):
            raise Refusal("a tensor has a value")
        if len(values) == 2:
            modules.checked_places(kind, tensors, self.pooled.get(values[1].number))
        results = [self.value(t, shared=all(shared)) for t in tensors]
        if given.get("return_indices"):
            self.pooled[results[1].number] = x[0].shape
        self.network.kinds.update([kind, *named])
        self.network.steps.append(
            Step(
                kind,
                path(scope, name),
                call,
                layer.module,
                tuple(value.number for value in values),
                tuple(value.number for value in results),
                not all(t.is_floating_point() for t in x),
            )
        )
        made = original or Made(_none, given, plain)
        # A function of its own has no module: a call of it may have other arguments.
        held = None if kind in OPERATIONS else made
        made.again = lambda reads: self._layer(scope, name, member, reads, variables, held)[0]
        return dict(zip(ports(kind, len(results)), results, strict=True)), made


def _none(inputs: Inputs) -> Results:
    raise NotImplementedError


def read(text: str) -> Network:
    """Return the network of a text.

    Raises:
        Refusal: it is not accepted.
    """
    return Reader(parse(text)).read()
