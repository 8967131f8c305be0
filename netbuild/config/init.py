"""The section `init:` and the modifier of that name: how weights begin."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from netbuild.config.filling import fill
from netbuild.diagnostics.diagnostic import Diagnostic, Span
from netbuild.diagnostics.wording import brief, did_you_mean, suggest
from netbuild.syntax.item import Item, kind, unknown_type
from netbuild.syntax.node import UNKNOWN, List, Map, Node, Scalar, is_unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.initializers import Initializer
    from netbuild.components.layers.layer import Layer

#: What is compared with every parameter is bounded.
MAX_RULES = 100
MAX_PATTERN = 200

_CONDITIONS = ("match", "type")


class Init(NamedTuple):
    """What stands beside a layer: initializers by the parameter's name, `""` for all weights."""

    by_name: Mapping[str, Initializer]
    spans: Mapping[str, Span]


class Rule(NamedTuple):
    """A rule of the section `init:`."""

    initializer: Initializer
    match: str | None
    type: str | None
    condition: Span  # its pattern or its type
    span: Span  # its initializer's name

    def applies(self, path: str, type_: str, parameter: str, key: str) -> bool:
        """Whether it is for a parameter of a layer."""
        if self.type not in {None, type_}:
            return False
        if self.match is None or fnmatchcase(path, self.match):
            return is_weight(parameter)
        return fnmatchcase(key, self.match)


def is_weight(parameter: str) -> bool:
    """Whether a parameter of a layer is a weight, by its name; one without is all there is."""
    return parameter == "" or "weight" in parameter.rpartition(".")[2]


def read_init(node: Node, faults: list[Diagnostic]) -> Init | None:
    """Read what stands beside a layer; None after a fault, or where a value is UNKNOWN."""
    if not _is_by_name(node):
        initializer = read_initializer(node, faults)
        return None if initializer is None else Init({"": initializer}, {"": node.span})
    assert isinstance(node, Map)
    read = {name: read_initializer(value, faults) for name, (_, value) in node.entries.items()}
    found = {name: initializer for name, initializer in read.items() if initializer is not None}
    spans = {name: entry.key.span for name, entry in node.entries.items()}
    return Init(found, spans) if len(found) == len(read) else None


def read_rules(
    node: Node, types: Mapping[str, type[Layer]], faults: list[Diagnostic]
) -> tuple[Rule, ...]:
    """Read the section `init:`, leaving out rules with faults; `types` are those of layers."""
    if is_unknown(node):
        return ()
    if not isinstance(node, List) or len(node.items) > MAX_RULES:
        found = f"{len(node.items):,}" if isinstance(node, List) else kind(node)
        label = f"init wants a list of at most {MAX_RULES} rules, not {found}"
        help_ = 'write init: [{match: "*.bias", zeros_}, {type: Linear, normal_: {std: 0.02}}]'
        faults.append(Diagnostic("NB106", "init is no list of rules", node.span, label, help=help_))
        return ()
    rules = (_rule(item, types, faults) for item in node.items)
    return tuple(rule for rule in rules if rule is not None)


def read_initializer(node: Node, faults: list[Diagnostic]) -> Initializer | None:
    """Read an initializer: its name, or a mapping from it to its arguments."""
    if is_unknown(node):
        return None
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return _filled(node._replace(text=node.value), None, faults)
    if not isinstance(node, Map) or len(node.entries) != 1:
        found = f"not {kind(node)}"
        if isinstance(node, Map) and node.entries:
            found = f"and this has {' and '.join(brief(name) for name in list(node.entries)[:3])}"
        label = f"an initializer is one name with its arguments, {found}"
        help_ = "write zeros_, or {normal_: {std: 0.02}}"
        title = "an initializer that is not written as one"
        faults.append(Diagnostic("NB108", title, node.span, label, help=help_))
        return None
    ((_, (key, arguments)),) = node.entries.items()
    return _filled(key, arguments, faults)


def _is_by_name(node: Node) -> bool:
    """Tell `{weight: zeros_}` from `{constant_: 1}`, and from a misspelt `{constant: 1}`."""
    return (
        isinstance(node, Map)
        and bool(node.entries)
        and not any(_is_meant(name) for name in node.entries)
    )


def _is_meant(name: str) -> bool:
    from netbuild.components.initializers import INITIALIZERS

    return name.endswith("_") or suggest(name, tuple(INITIALIZERS)) is not None


def _filled(name: Scalar, arguments: Node | None, faults: list[Diagnostic]) -> Initializer | None:
    from netbuild.components.initializers import INITIALIZERS

    component = INITIALIZERS.get(name.text)
    if component is None:
        help_, fixes = did_you_mean(name.text, INITIALIZERS, name.span)
        help_ = help_ or f"there are {', '.join(INITIALIZERS)}"
        title = f"no initializer is called {brief(name.text)}"
        faults.append(Diagnostic("NB103", title, name.span, "unknown", help=help_, fixes=fixes))
        return None
    empty = isinstance(arguments, Scalar) and arguments.value is None
    return fill(component, Item(name, None if empty else arguments), faults)


def _rule(node: Node, types: Mapping[str, type[Layer]], faults: list[Diagnostic]) -> Rule | None:
    if is_unknown(node):
        return None
    entries = node.entries if isinstance(node, Map) else {}
    conditions = {name: entry for name, entry in entries.items() if name in _CONDITIONS}
    rest = {name: entry for name, entry in entries.items() if name not in conditions}
    stray = [entry.key for name, entry in rest.items() if not _is_meant(name)]
    if len(rest) > 1 and stray:
        for key in stray[:3]:
            help_, fixes = did_you_mean(key.text, _CONDITIONS, key.span)
            help_ = help_ or "a rule has match, type and an initializer"
            title = f"a rule has no field {brief(key.text)}"
            faults.append(Diagnostic("NB104", title, key.span, "unknown", help=help_, fixes=fixes))
        return None
    if not conditions or len(rest) != 1:
        label = "a rule is one initializer with a match, a type of layer, or both"
        help_ = 'write {match: "*.bias", zeros_}'
        title = "a rule that is not written as one"
        faults.append(Diagnostic("NB108", title, node.span, label, help=help_))
        return None
    ((_, (key, arguments)),) = rest.items()
    initializer = _filled(key, arguments, faults)
    texts = {name: _text(name, entry.value, types, faults) for name, entry in conditions.items()}
    if initializer is None or None in texts.values():
        return None
    condition = next(iter(conditions.values())).value.span
    return Rule(initializer, texts.get("match"), texts.get("type"), condition, key.span)


def _text(
    name: str, node: Node, types: Mapping[str, type[Layer]], faults: list[Diagnostic]
) -> str | None:
    """Return the pattern or the type of a rule; None after a fault, or where it is UNKNOWN."""
    value = node.value if isinstance(node, Scalar) else None
    if value is UNKNOWN:
        return None
    if name == "type" and isinstance(value, str) and value not in types:
        assert isinstance(node, Scalar)
        faults.append(unknown_type(node._replace(text=value), "layer", types))
        return None
    if name == "type" and isinstance(value, str):
        return types[value].torch_name()  # of a Lazy name the layer that it becomes
    if isinstance(value, str) and len(value) <= MAX_PATTERN:
        return value
    wanted = "a pattern of names" if name == "match" else "the type of a layer"
    if isinstance(value, str):
        wanted += f" of at most {MAX_PATTERN} characters"
    label = f"{name} wants {wanted}, not {kind(node)}"
    title = f"a value that a rule's {name} does not take"
    faults.append(Diagnostic("NB106", title, node.span, label))
    return None
