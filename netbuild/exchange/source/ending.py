"""What the constructor of a network does last: weights that are tied, filled or frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.init import plan, rules_of
from netbuild.components.layers._masks import Masked
from netbuild.components.layers.parameter import Parameter
from netbuild.exchange.source.text import Argument, Code, Group, Text, call, flat, lines, literal
from netbuild.graph.row import Block, Row
from netbuild.graph.value import state_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.components.initializers import Initializer
    from netbuild.exchange.source.kinds import Kind
    from netbuild.exchange.source.needs import Needs
    from netbuild.graph.graph import Graph


class Ending:
    """Writes the statements at the end of a network's constructor."""

    def __init__(self, graph: Graph, needs: Needs, kind_of: Mapping[str, Kind]) -> None:
        self.graph, self.needs, self.kind_of = graph, needs, kind_of
        self.plan = plan(graph.rows, rules_of(graph))
        self.rows = {row.path: row for row in graph.rows if not row.reuses}

    def initial(self, path: str) -> list[str]:
        """Return the statement that fills a parameter of a stack."""
        initializer = self.plan.get(path)
        if initializer is None:
            return []
        name = path.rpartition(".")[2]
        tensor = f"self.{name}" if name.isidentifier() else f'self.get_parameter("{name}")'
        return lines(self.filled(tensor, initializer), 8)

    def filled(self, tensor: str, initializer: Initializer) -> Code:
        """Return the call that fills a tensor."""
        fields = type(initializer).model_fields
        keywords = {
            name: literal(value)
            for name, value in initializer.model_dump().items()
            if fields[name].is_required() or value != fields[name].default
        }
        return call(f"nn.init.{initializer.torch_name()}", Text(tensor), **keywords)

    def lines(self) -> list[str]:
        """Return the statements."""
        return [*self.ties(), *self.fills(), *self.computed(), *self.frozen(), *self.masks()]

    def ties(self) -> Iterator[str]:
        """Yield the statements that let layers share a parameter."""
        for name, target in self.graph.ties.items():
            yield from lines(Text(self.tensor(target)), 8, f"{self.place(name)} = ")

    def fills(self) -> Iterator[str]:
        """Yield the statements that fill weights by the rules of `init`."""
        groups: dict[str, list[str]] = {}
        initializers = {}
        for name, initializer in self.plan.items():
            if isinstance(getattr(self.rows.get(name), "layer", None), Parameter):
                continue
            key = flat(self.filled("", initializer))
            groups.setdefault(key, []).append(name)
            initializers[key] = initializer
        for key, names in groups.items():
            yield from self.fill(names, initializers[key])

    def fill(self, names: list[str], initializer: Initializer) -> Iterator[str]:
        """Yield the statements that fill some parameters: by the types of layers, or by name."""
        left = set(names)
        kinds: dict[tuple[str, str], set[str]] = {}
        for row in self.rows.values():
            for own in row.weights:
                kinds.setdefault((row.layer.built_name(), own), set()).add(state_key(row.path, own))
        whole: dict[str, list[str]] = {}
        for (kind, own), all_ in kinds.items():
            if len(all_) > 2 and all_ <= left and "." not in own:
                left -= all_
                whole.setdefault(own, []).append(self.needs.class_(kind))
        for own, classes in whole.items():
            yield "        for module in self.modules():"
            yield f"            if isinstance(module, {' | '.join(classes)}):"
            yield f"                {flat(self.filled(f'module.{own}', initializer))}"
        rest = [name for name in names if name in left]
        if len(rest) <= 3:
            for name in rest:
                yield from lines(self.filled(self.tensor(name), initializer), 8)
        else:
            inside = Group("(", tuple(Argument(literal(name)) for name in rest))
            yield from lines(inside, 8, "for name in ", ":")
            yield from lines(self.filled("self.get_parameter(name)", initializer), 12)

    def computed(self) -> Iterator[str]:
        """Yield the statements that parametrize weights of a module within a layer."""
        for row in self.rows.values():
            for name, one in row.parametrized.items():
                within, _, own = name.rpartition(".")
                if not within:
                    continue
                function = one.by.torch_name()
                self.needs.imports.add(f"from torch.nn.utils.parametrizations import {function}")
                given = one.by.arguments(transposed=row.is_transposed)
                keywords = {field: literal(value) for field, value in given.items()}
                place = Text(self.module(state_key(row.path, within)))
                yield from lines(call(function, place, name=literal(own), **keywords), 8)

    def frozen(self) -> Iterator[str]:
        """Yield the statements that freeze weights, for whole stacks where all are frozen."""
        if self.graph.block is not None and any(row.frozen for row in self.graph.rows):
            for path in _frozen(self.graph.block, ""):
                yield from self.freeze(path)

    def freeze(self, path: str) -> Iterator[str]:
        """Yield the statements that freeze a stack or a layer, but not what it shares."""
        row = self.rows.get(path)
        if row is None or not (row.ties or row.layer.is_tensor):
            yield f"        {self.module(path)}.requires_grad_(False)"
            return
        for name in row.parameters:
            yield f"        {self.tensor(state_key(path, name))}.requires_grad_(False)"

    def masks(self) -> Iterator[str]:
        """Yield the statements that keep torch's encoders from shortcuts that masks exclude."""
        found: dict[str, Masked] = {}
        for row in self.graph.rows:
            if isinstance(row.layer, Masked) and row.layer.given:
                found[row.reuses or row.path] = row.layer
        for path, layer in found.items():
            if not self.rows[path].type.startswith("TransformerEncoder"):
                continue
            yield f"        for module in {self.module(path)}.modules():"
            yield "            if isinstance(module, nn.TransformerEncoder):"
            yield "                module.use_nested_tensor = False"
            if layer.adds_numbers:
                yield "            if isinstance(module, nn.TransformerEncoderLayer):"
                yield "                module.activation_relu_or_gelu = 0"

    def is_dotted(self, path: str) -> bool:
        """Whether mypy knows the module at a path by its attributes."""
        words = path.split(".")
        around = (".".join(words[:n]) for n in range(len(words)))
        known = (self.kind_of.get(place) for place in around)
        return all(kind is not None and kind.style == "module" for kind in known) and all(
            map(str.isidentifier, words)
        )

    def module(self, path: str) -> str:
        """Return the code of a module of the network."""
        return f"self.{path}" if self.is_dotted(path) else f'self.get_submodule("{path}")'

    def tensor(self, name: str) -> str:
        """Return the code of a parameter of the network."""
        path, _, own = name.rpartition(".")
        dotted = own.isidentifier() and (not path or self.is_dotted(path))
        return f"self.{name}" if dotted else f'self.get_parameter("{name}")'

    def place(self, name: str) -> str:
        """Return the code to which a parameter is assigned."""
        path, _, own = name.rpartition(".")
        return f"{self.module(path)}.{own}" if path else f"self.{own}"

    def methods(self) -> list[str]:
        """Return the method that keeps frozen norms in evaluation."""
        paths = [row.path for row in self.rows.values() if row.layer.evaluates]
        if not paths:
            return []
        self.needs.imports.add("from typing import Self")
        return [
            "",
            "    def train(self, mode: bool = True) -> Self:",
            "        super().train(mode)",
            *(f"        {self.module(path)}.eval()" for path in paths),
            "        return self",
        ]


def _frozen(block: Block, path: str) -> list[str]:
    """Return the paths of frozen layers. A stack stands for its layers if all are frozen."""
    found: list[str] = []
    for member in block.members:
        place = f"{path}.{member.name}" if path else member.name
        if member.module:
            continue
        if isinstance(member.part, Row):
            if member.part.frozen and member.part.parameters:
                found.append(place)
        elif _is_frozen(member.part):
            found.append(place)
        else:
            found += _frozen(member.part, place)
    return found


def _is_frozen(block: Block) -> bool:
    rows = [*_rows(block)]
    learned = [row for row in rows if row.parameters]
    return bool(learned) and all(row.frozen and not row.ties for row in learned)


def _rows(block: Block) -> Iterator[Row]:
    for member in block.members:
        if isinstance(member.part, Row):
            yield member.part
        else:
            yield from _rows(member.part)
