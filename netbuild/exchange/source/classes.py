"""The text of a class: its constructor, and its `forward`."""

from __future__ import annotations

import keyword
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netbuild.components.layers.constant import Constant
from netbuild.exchange.operation_names import variable
from netbuild.exchange.source import forward
from netbuild.exchange.source.constructors import Constructors, is_numbered, texts
from netbuild.exchange.source.kinds import derived
from netbuild.exchange.source.layout import ApartError
from netbuild.exchange.source.text import Argument, Code, Group, Text, call, flat, lines, literal
from netbuild.graph.row import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netbuild.exchange.source.comments import Comments
    from netbuild.exchange.source.kinds import Kind, Kinds
    from netbuild.exchange.source.layout import Part
    from netbuild.exchange.source.needs import Needs

#: The types of parameters, by the types of their values.
_TYPES = {bool: "bool", int: "int", float: "float", str: "str", type(None): "None"}


class Class:
    """Writes a class.

    Args:
        kind: the class.
        kinds: the classes of the network.
        makers: writes the calls that make modules.
        comments: the comments of the config.
        initial: gives the statements that fill a parameter of the stack, by its name.
    """

    def __init__(
        self,
        kind: Kind,
        kinds: Kinds,
        makers: Constructors,
        comments: Comments,
        initial: Callable[[str], list[str]],
    ) -> None:
        self.kind, self.kinds, self.makers = kind, kinds, makers
        self.comments, self.initial = comments, initial
        self.scope = kind.scope
        self.is_root = kind.stacks[0].path == ""
        self.annotations: list[str] = []
        self.attributes: dict[str, str] = {}
        self.style = kind.style = self._style()

    @property
    def needs(self) -> Needs:
        """What the file must have."""
        return self.makers.needs

    def _style(self) -> str:
        """Return how the class is written: as a sequence, a module, or a dictionary of modules."""
        parts = self.kind.parts
        chain = all(self.kinds.is_chain(stack.block) for stack in self.kind.stacks)
        if chain and is_numbered(parts):
            return "sequence"
        if chain and any(part.is_repeated or part.is_optional for part in parts):
            return "named sequence"
        names = (place.member.name for part in parts if part.has_module for place in part.places)
        return "module" if all(map(is_attribute, names)) else "dict"

    def write(self, ending: Sequence[str] = (), after: Sequence[str] = ()) -> list[str]:
        """Return the lines of the class.

        Args:
            ending: the last lines of its constructor.
            after: methods behind `forward`.

        Raises:
            ApartError: the stacks of the class need several classes.
        """
        locals_ = self.locals()
        if self.style in {"sequence", "named sequence"}:
            made, steps = self.sequence(), []
            base = "nn.Sequential"
        else:
            steps = forward.write(self)
            made = self.members()
            base = "nn.Module" if self.style == "module" else "nn.ModuleDict"
        own = self.own_lines(locals_)
        self.kind.settle()
        kept = [f"        self.{name} = {value}" for value, name in self.attributes.items()]
        start = ["        super().__init__()"] if not made or self.style == "module" else []
        inside = [*own, *start, *made, *kept, *ending]
        if self.style == "dict":
            inside = [*own, *made[:1], *kept, *made[1:], *ending]
        if inside == ["        super().__init__()"]:
            return [*self.head(base), *steps, *after]
        found = [*self.head(base), *self.signature(), *inside]
        return [*found, *([""] if steps else []), *steps, *after]

    def head(self, base: str) -> list[str]:
        """Return the first lines: comments, the name, a docstring, and types of attributes."""
        found = [*self.comments.of_class(self.kind), f"class {self.kind.name}({base}):"]
        doc = self.comments.docstring(self.kind)
        if doc:
            found += [f'    """{doc}"""', ""]
        if self.annotations:
            found += [f"    {line}" for line in self.annotations] + [""]
        return found

    def signature(self) -> list[str]:
        """Return the first line of the constructor, or several."""
        found = []
        for name in self.kind.parameters:
            values = {type(point[name]) for point in self.scope.points}
            if name in self.kind.defaults:
                values.add(type(self.kind.defaults[name]))
            ordered = sorted(values, key=lambda kind: kind is type(None))
            types = " | ".join(dict.fromkeys(_TYPES.get(kind, "Any") for kind in ordered))
            types = "float" if types in {"int | float", "float | int"} else types
            if "Any" in types:
                self.needs.imports.add("from typing import Any")
            default = ""
            if name in self.kind.defaults:
                default = f" = {flat(literal(self.kind.defaults[name]))}"
            found.append(Argument(Text(f"{name}: {types}{default}")))
        node = Group("def __init__(", (Argument(Text("self")), *found))
        return lines(node, 4, after=" -> None:")

    def locals(self) -> dict[str, Code]:
        """Return the parameters whose default is an expression that all uses keep."""
        found: dict[str, Code] = {}
        for name, text in derived(self.kind):
            if name not in self.scope.points[0]:
                continue
            made = self.scope.derive(name, text)
            if made is not None:
                found[name] = made
        return found

    def own_lines(self, locals_: dict[str, Code]) -> list[str]:
        """Return the lines that compute what the constructor uses, and mark what these use."""
        found: list[str] = []
        for name in reversed(locals_):
            if name in self.scope.used:
                del self.scope.used[name]
                self.scope.use(flat(locals_[name]))
                found = [*lines(locals_[name], 8, f"{name} = "), *found]
        return found

    def sequence(self) -> list[str]:
        """Return the constructor of an `nn.Sequential`."""
        named = self.style != "sequence"
        if not named:
            inside: list[str] = []
            for part in self.kind.parts:
                inside += self.comments.of_part(part, 12)
                for one in self.makers.element(part, self.scope, named=False):
                    inside += lines(one.node, 12, one.prefix, ",")
            elements = self.makers.elements(self.kind.parts, self.scope, named=False)
            short = lines(Group("super().__init__(", tuple(elements)), 8)
            if len(short) == 1 and not any("#" in line for line in inside):
                return short
            return ["        super().__init__(", *inside, "        )"]
        elements = self.makers.elements(self.kind.parts, self.scope, named=True)
        return lines(call("super().__init__", self.makers.ordered(elements)), 8)

    def members(self) -> list[str]:
        """Return the statements that make the members of a stack."""
        found, modules = [], []
        for part in self.kind.parts:
            if part.has_module and self.style == "dict":
                modules += self.comments.of_part(part, 16)
                for name, made in self.each(part):
                    modules += lines(made, 16, f'"{name}": ', ",")
                continue
            statements = self.statements(part)
            if statements:
                found += [*self.comments.of_part(part, 8), *statements]
        if self.style == "dict":
            inside = ["        super().__init__(", "            {", *modules, "            }"]
            return ["\n".join([*inside, "        )"]), *found]
        return found

    def each(self, part: Part) -> list[tuple[str, Code]]:
        """Return the modules of a part by their names, those of a repetition one by one."""
        if part.is_optional:
            raise ApartError
        most = len(part.runs[0])
        return [
            (
                part.runs[0][turn].member.name,
                self.makers.module(part, self.scope, [run[turn] for run in part.runs]),
            )
            for turn in range(most)
        ]

    def statements(self, part: Part) -> list[str]:
        """Return the statements for a part of a module."""
        first = part.first
        if first.module is not None:
            return []
        if isinstance(first.part, Row) and first.part.layer.is_tensor:
            if not part.is_repeated:
                return self.tensor(part, first.part)
            turns = range(max(map(len, part.runs)))
            each = (replace(part, runs=[run[n : n + 1] for run in part.runs]) for n in turns)
            return [line for one in each for line in self.tensor(one, _row(one.places[0]))]
        if not part.has_module:
            return []
        if not part.is_optional:
            return [
                line for name, made in self.each(part) for line in lines(made, 8, f"self.{name} = ")
            ]
        there = self.scope.only([bool(run) for run in part.runs])
        condition = self.makers.condition(part, self.scope)
        made = self.makers.module(part, there, part.places)
        return [
            f"        self.{first.name}: nn.Module | None = None",
            f"        if {flat(condition)}:",
            *lines(made, 12, f"self.{first.name} = "),
        ]

    def tensor(self, part: Part, row: Row) -> list[str]:
        """Return the statements that make a parameter or a constant."""
        name = part.first.name
        if isinstance(row.layer, Constant):
            if is_attribute(name):
                self.annotations.append(f"{name}: Tensor")
                self.needs.imports.add("from torch import Tensor")
            last = {} if row.layer.persistent else {"persistent": Text("False")}
            if row.layer.source is None:
                return forward.held(self, name)
            made = self.constant(part)
            whole = call("self.register_buffer", literal(name), made, **last)
            return lines(whole, 8)
        shapes = [tuple(next(iter(_row(place).weights.values()))) for place in part.places]
        hints = texts(row.item)
        sizes = tuple(
            Argument(self.scope.fit(list(column), "size", hints if _differ(column) else ()))
            for column in zip(*shapes, strict=True)
        )
        filled = self.initial(part.places[0].path)
        self.needs.imports.add("import torch")
        kind = "empty" if filled else "zeros"
        sizes = sizes or (Argument(Text("()")),)
        made = call("nn.Parameter", Group(f"torch.{kind}(", sizes))
        if not is_attribute(name):
            made = call("self.register_parameter", literal(name), made)
            return [*lines(made, 8), *filled]
        return [*lines(made, 8, f"self.{name} = "), *filled]

    def constant(self, part: Part) -> Code:
        """Return the call that makes the values of a constant."""
        layers = [_row(place).layer for place in part.places]
        constants = [layer for layer in layers if isinstance(layer, Constant)]
        layer = constants[0]
        function, arguments, dtype = layer.call()
        self.needs.imports.add("import torch")
        last = {} if layer.dtype is None else {"dtype": Text(f"torch.{dtype}")}
        if function == "tensor":
            return call("torch.tensor", *map(_as_list, arguments), **last)
        each = zip(*(one.call()[1] for one in constants), strict=True)
        hints = texts(_row(part.places[0]).item)
        there = self.scope.only([bool(run) for run in part.runs])
        given = [there.fit(column, "size", hints if _differ(column) else ()) for column in each]
        return call(f"torch.{function}", *given, **last)

    def access(self, name: str) -> str:
        """Return the code of a module or a tensor of the stack."""
        if self.style == "dict" and any(
            (part.has_module and part.first.name == name) or name in _names(part)
            for part in self.kind.parts
            if part.has_module
        ):
            return f'self["{name}"]'
        if is_attribute(name):
            return f"self.{name}"
        rows = (place.member for part in self.kind.parts for place in part.places)
        row = next(member.part for member in rows if member.name == name)
        is_constant = isinstance(row, Row) and isinstance(row.layer, Constant)
        return f'self.get_{"buffer" if is_constant else "parameter"}("{name}")'

    def attribute(self, code: Code) -> Code:
        """Return an expression of parameters in `forward`, which reads them from `self`."""
        members = {place.member.name for part in self.kind.parts for place in part.places}

        def of(match: re.Match[str]) -> str:
            name = match[0]
            if name not in self.scope.points[0]:
                return name
            own = f"{name}_" if name in members else name
            self.attributes[name] = own
            return f"self.{own}"

        if isinstance(code, Text):
            return code._replace(text=re.sub(r"(?<![\"\w])[A-Za-z_]\w*", of, code.text))
        if isinstance(code, Group):
            inside = (one._replace(node=self.attribute(one.node)) for one in code.arguments)
            return code._replace(arguments=tuple(inside))
        return code

    def inputs(self) -> list[str]:
        """Return the variables of the inputs of `forward`."""
        return [variable(port) for port in self.kind.stacks[0].block.inputs]


def is_attribute(name: str) -> bool:
    """Whether `self.name` is Python."""
    return name.isidentifier() and not keyword.iskeyword(name)


def _row(place: Any) -> Row:
    assert isinstance(place.member.part, Row)
    return place.member.part


def _differ(column: Sequence[Any]) -> bool:
    return any(value != column[0] for value in column)


def _names(part: Part) -> set[str]:
    return {place.member.name for place in part.places}


def _as_list(value: Any) -> Code:
    if isinstance(value, tuple):
        return Group("[", tuple(map(Argument, map(_as_list, value))), "]")
    return literal(value)
