"""A network of nested stacks as the text of a config, in the form that a person gives it."""

from __future__ import annotations

import re
import textwrap
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from netbuild.components.component import bare_field
from netbuild.components.layers import LAYERS
from netbuild.exchange.importer.folding.tree import Expression, Group, Leaf
from netbuild.graph.value import OUTPUT, Ref
from netbuild.syntax.dump import dump
from netbuild.syntax.names import MODIFIERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netbuild.components.tensor import Tensor
    from netbuild.exchange.importer.folding.tree import Block, Member
    from netbuild.exchange.importer.network import Network

#: A line that is longer is divided, if it can be. A stack on one line is shorter.
_WIDTH, _SHORT = 120, 108


def written(value: Any) -> str:
    """Return a value in one line: `[3, 224]`, `{out_channels: 8, bias: false}`, `$width`."""
    if isinstance(value, dict):
        return "{" + ", ".join(_pair(key, inner) for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_in_list, value)) + "]"
    if isinstance(value, Expression):
        return _quoted(value)
    if isinstance(value, str):
        return _text(value.replace("$", "$$"))
    return _scalar(value)


def _pair(key: str, value: Any) -> str:
    return key if value is None else f"{key}: {written(value)}"


def _in_list(value: Any) -> str:
    """Return a member of a list; a mapping of one key needs no braces there."""
    if isinstance(value, dict) and len(value) == 1:
        ((key, inner),) = value.items()
        return _pair(key, inner) if inner is not None else key
    return written(value)


def _quoted(text: str) -> str:
    return f'"{text}"' if re.search(r"[\[\]{},:#'\"]", text) else text


@cache
def _text(text: str) -> str:
    line = dump([text]).strip()  # [a b], but - "6.3" for a text that reads as a number
    return line[2:] if line.startswith("- ") else line[1:-1].strip()


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    return str(value)


def _number(value: float) -> str:
    """Return a float as YAML has it: `1e-06` becomes `1e-6`."""
    text = repr(value)
    if text in ("inf", "-inf"):
        return text.replace("inf", ".inf")
    return re.sub(r"e([+-])0*(\d)", r"e\1\2", text).replace("e+", "e")


#: Fields that a person names, although a bare value would fill them.
_SAID = ("start_dim", "eps", "alpha", "beta", "offset", "correction")


class Writer:
    """Writes stacks; `blocks` are the parameters of each block by its name, in order."""

    def __init__(self, blocks: Mapping[str, Sequence[str]]) -> None:
        self.blocks = blocks

    def lines(self, group: Group, indent: str) -> Iterator[str]:
        """Yield the lines of a stack's members, each behind an indent."""
        as_list = is_list(group)
        previous: Ref | None = Ref("", group.inputs[0]) if len(group.inputs) == 1 else None
        for member in group.members:
            yield from (f"{indent}# {line}" for note in member.notes for line in wrapped(note))
            yield from self._member(member, indent, previous, as_list=as_list)
            previous = Ref(member.last or member.name, member.ports[0])
        yield from (f"{indent}# {line}" for note in group.notes_below for line in wrapped(note))

    def definition(self, block: Block) -> Iterator[str]:
        """Yield the lines of a block."""
        yield f"  {block.name}:"
        if block.params:
            yield f"    params: {written(dict(block.params))}"
        given = results(block.body)
        if given is not None:
            yield f"    outputs: {written(given)}"
        inner = self.flow(block.body)
        if inner is not None and is_list(block.body) and len(inner) <= _SHORT:
            yield f"    layers: {inner}"
            return
        yield "    layers:"
        yield from self.lines(block.body, "      ")

    def _member(
        self, member: Member, indent: str, previous: Ref | None, *, as_list: bool
    ) -> Iterator[str]:
        body = self.body(member, previous, as_list=as_list)
        head = "- " if as_list else f"{key(member.name)}: "
        if isinstance(body, str):
            yield f"{indent}{head}{body}"
            return
        line = self._one_line(body, as_list=as_list, capital=member.name[:1].isupper())
        limit = _SHORT if isinstance(member, Group) else _WIDTH
        if line is not None and len(indent) + len(head) + len(line) <= limit:
            yield f"{indent}{head}{line}"
        else:
            yield from self._divided(member, body, indent, head.rstrip())

    def _one_line(self, body: dict[str, Any], *, as_list: bool, capital: bool) -> str | None:
        """Return a member in one line; None if it has comments."""
        if isinstance(body.get("layers"), Group):
            inner = self.flow(body["layers"])
            if inner is None:
                return None
            if len(body) == 1:
                return inner
            rest = [_pair(k, v) for k, v in body.items() if k != "layers"]
            return "{" + ", ".join([f"layers: {inner}", *rest]) + "}"
        if as_list and len(body) == 1 and not capital:
            return _in_list(body)
        return written(body)

    def flow(self, group: Group) -> str | None:
        """Return a stack in one line, `[Dropout: 0.2, Linear: 10]`; None if it is too long."""
        if group.notes_below or any(member.notes for member in group.members):
            return None
        as_list = is_list(group)
        previous: Ref | None = Ref("", group.inputs[0]) if len(group.inputs) == 1 else None
        found = []
        for member in group.members:
            body = self.body(member, previous, as_list=as_list)
            text: str | None
            if isinstance(body, str):
                text = body
            else:
                text = self._one_line(body, as_list=as_list, capital=member.name[:1].isupper())
            if text is None:
                return None
            found.append(text if as_list else f"{key(member.name)}: {text}")
            previous = Ref(member.last or member.name, member.ports[0])
        if not as_list and len(found) > 1:
            return None
        joined = ", ".join(found)
        return f"[{joined}]" if as_list else f"{{{joined}}}"

    def _divided(
        self, member: Member, body: dict[str, Any], indent: str, head: str
    ) -> Iterator[str]:
        """Yield a member on several lines."""
        inner = f"{indent}  "
        lead = f"{indent}{head}"
        if isinstance(member, Group) and set(body) == {"layers"}:
            if head == "-":
                first, *rest = self.lines(member, inner)
                yield f"{lead} {first.strip()}"
                yield from rest
                return
            yield lead
            yield from self.lines(member, inner)
            return
        found: list[str] = []
        for name, value in body.items():
            if isinstance(value, Group):
                short = self.flow(value)
                if short is not None and len(inner) + len(short) + len("layers: ") <= _SHORT:
                    found.append(f"{inner}{name}: {short}")
                else:
                    found += [f"{inner}{name}:", *self.lines(value, f"{inner}  ")]
            else:
                found.append(
                    f"{inner}{name}: {written(value)}" if value is not None else f"{inner}{name}:"
                )
        if head == "-":
            yield f"{lead} {found[0].strip()}"
            yield from found[1:]
        else:
            yield lead
            yield from found

    def body(self, member: Member, previous: Ref | None, *, as_list: bool) -> str | dict[str, Any]:
        """Return an item or a stack with its modifiers, as YAML holds it.

        A stack without modifiers is under `layers` alone.
        """
        beside: dict[str, Any] = {}
        if as_list and not member.name.isdecimal():
            beside["name"] = member.name
        wires = self.inputs(member, previous)
        if wires is not None:
            beside["inputs"] = wires
        if isinstance(member, Group):
            given = results(member)
            if given is not None:
                beside["outputs"] = given
            return {**beside, **member.modifiers, "layers": member}
        beside |= member.modifiers
        arguments: Any = self._arguments(member)
        if arguments is None and not beside and not member.name[:1].isupper():
            return member.type
        return {member.type: arguments, **beside}

    def _arguments(self, leaf: Leaf) -> Any:
        """Return the arguments of an item; a single one without its name, where that is allowed."""
        if leaf.module is not None:
            return (
                Expression(leaf.module) if "$" in leaf.module else _wire(Ref(leaf.module, OUTPUT))
            )
        beside = leaf.defaults
        own = {n: v for n, v in leaf.arguments.items() if n not in beside or beside[n] != v}
        if not own:
            return None
        layer = LAYERS.get(leaf.type)
        order = self.blocks.get(leaf.type) or tuple(layer.model_fields if layer else ())
        if leaf.type in self.blocks:
            bare = next(iter(order), None)
        else:
            bare = bare_field(layer) if layer else None
            bare = None if bare in _SAID else bare
        own = {n: own[n] for n in order if n in own} | own
        if len(own) == 1 and bare in own and not isinstance(own[bare], dict | bool | None):
            return own[bare]
        return own

    def inputs(self, member: Member, previous: Ref | None) -> Any:
        """Return what stands in `inputs`; None if the member reads the one before it."""
        reads = member.reads
        if not reads:
            needs = isinstance(member, Group) and previous is None
            return _NOTHING if needs else None
        named = _needs_names(member)
        if len(reads) == 1 and reads[0][1] == previous and not named and not _may_read(member):
            return None
        if named:
            return {own: _wire(ref) for own, ref in reads}
        wires = [_wire(ref) for _, ref in reads]
        return wires[0] if len(wires) == 1 else wires


def _may_read(member: Member) -> bool:
    """Whether a member reads nothing unless its inputs are written, as a Constant does."""
    return not isinstance(member, Group) and member.type == "Constant"


#: A stack that reads nothing still names an input, where nothing stands before it.
_NOTHING = "input"


def _needs_names(member: Member) -> bool:
    """Whether the inputs of a member stand by their names."""
    names = [own for own, _ in member.reads]
    if isinstance(member, Group):
        return len(names) > 1 or names != ["input"]
    if member.module is not None or member.type not in LAYERS:
        return len(names) > 1 or (member.module is None and names != ["input"])
    layer = LAYERS[member.type]
    if layer.names_inputs:
        return names != ["x"]
    if layer.variadic:
        return False
    return names != [*layer.inputs, *layer.optional_inputs][: len(names)]


def _wire(ref: Ref) -> Any:
    """Return the name of a value in a stack; a number stands without quotes."""
    if not ref.member:
        return ref.port
    name = ref.member if ref.port == OUTPUT else f"{ref.member}.{ref.port}"
    return int(name) if name.isdecimal() and str(int(name)) == name else _Name(name)


class _Name(str):
    __slots__ = ()


def results(group: Group) -> Any:
    """Return what stands in `outputs`; None for the first result of the last member."""
    outputs = dict(group.outputs)
    refs = list(outputs.values())
    last = group.members[-1] if group.members else None
    if list(outputs) == [OUTPUT]:
        if last is not None and refs[0] == Ref(last.last or last.name, last.ports[0]):
            return None
        return _wire(refs[0])
    if len(refs) > 1 and all(
        name == str(_wire(ref)).replace(".", "_") for name, ref in outputs.items()
    ):
        return [_wire(ref) for ref in refs]
    return {name: _wire(ref) for name, ref in outputs.items()}


def is_list(group: Group) -> bool:
    """Whether the members of a stack are a list: their names are their positions."""
    if group.listed is not None:
        return group.listed
    names = [member.name for member in group.members]
    if all(name == str(n) for n, name in enumerate(names)):
        return True
    capital = any(name[:1].isupper() for name in names)
    clash = any(name in MODIFIERS for name in names)
    inner = any(
        name[:1].isupper() and isinstance(m, Group)
        for name, m in zip(names, group.members, strict=True)
    )
    return clash or inner or (capital and len(names) == 1)


def key(name: str) -> str:
    """Return a name as the key of a mapping."""
    return name if not name.isdecimal() else f'"{name}"'


def wrapped(note: str) -> list[str]:
    """Return the lines of a comment. The lines of a gap are indented: so it stays one gap."""
    indent = "  " if note.startswith("gap: ") else ""
    return textwrap.wrap(
        note, 96, break_long_words=False, break_on_hyphens=False, subsequent_indent=indent
    )


def config(
    root: Group,
    network: Network,
    name: str,
    blocks: Sequence[Block] = (),
    variables: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """Return the text of a config."""
    writer = Writer({block.name: tuple(block.params) for block in blocks})
    lines = [f"# {line}" for note in network.notes for line in wrapped(note)]
    lines += [f"name: {written(name)}", *_inputs(root, network.inputs)]
    if variables:
        lines.append(f"vars: {written(dict(variables))}")
    if blocks:
        lines.append("blocks:")
        for block in blocks:
            lines += writer.definition(block)
    lines += ["layers:", *writer.lines(root, "  ")]
    given = results(root)
    if given:
        lines.append(f"outputs: {written(given)}")
    return "\n".join(lines) + "\n"


def _inputs(root: Group, inputs: Mapping[str, Tensor]) -> list[str]:
    shapes = [
        list(tensor.shape)
        if tensor.dtype == "float32"
        else {"shape": list(tensor.shape), "dtype": tensor.dtype}
        for tensor in inputs.values()
    ]
    if root.inputs == ("input",):
        return [f"input: {written(shapes[0])}"]
    named = dict(zip(root.inputs, shapes, strict=True))
    line = f"inputs: {written(named)}"
    if len(line) <= _WIDTH:
        return [line]
    return ["inputs:", *(f"  {own}: {written(shape)}" for own, shape in named.items())]
