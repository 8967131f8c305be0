"""The section `init:` and the modifier `init`: the first values of weights."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from netbuild.config.filling import fill
from netbuild.diagnostics.diagnostic import Diagnostic, Span, collect
from netbuild.diagnostics.wording import brief, did_you_mean, suggest
from netbuild.syntax.item import Item, kind
from netbuild.syntax.node import UNKNOWN, List, Map, Node, Scalar, is_null, is_unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.initializers import Initializer
    from netbuild.components.layers.layer import Layer
    from netbuild.diagnostics.diagnostic import Found

#: Limits, because each pattern is compared with the name of each parameter.
MAX_RULES = 100
MAX_PATTERN = 200

_CONDITIONS = ("match", "type")


class Init(NamedTuple):
    """The modifier `init` of a layer: initializers by parameter; `""` is for all weights."""

    by_name: Mapping[str, Initializer]
    spans: Mapping[str, Span]


class Rule(NamedTuple):
    """A rule of the section `init:`."""

    initializer: Initializer
    match: str | None
    type: str | None
    condition: Span  # the place of the pattern or of the type
    span: Span  # the place of the initializer's name
    #: The path of the block that is the rule's file; "" for a rule of the checked file.
    within: str = ""

    def applies(self, path: str, type_: str, parameter: str, key: str) -> bool:
        """Whether the rule applies to a parameter of a layer."""
        if self.type not in {None, type_}:
            return False
        if self.within:
            if not path.startswith(f"{self.within}."):
                return False
            path, key = (name[len(self.within) + 1 :] for name in (path, key))
        if self.match is None or fnmatchcase(path, self.match):
            return is_weight(parameter)
        return fnmatchcase(key, self.match)


def is_weight(parameter: str) -> bool:
    """Whether a parameter of a layer is a weight by its name.

    A `Parameter` has one tensor without a name, which counts as a weight.
    """
    return parameter == "" or "weight" in parameter.rpartition(".")[2]


def read_init(node: Node) -> Found[Init | None]:
    """Read the modifier `init` of a layer; None after a fault, or if a value is UNKNOWN."""
    if not _is_by_name(node):
        initializer, faults = read_initializer(node)
        init = Init({"": initializer}, {"": node.span}) if initializer else None
        return init, faults
    assert isinstance(node, Map)
    read, faults = collect(read_initializer(entry.value) for entry in node.entries.values())
    by_name = {name: each for name, each in zip(node.entries, read, strict=True) if each}
    spans = {name: entry.key.span for name, entry in node.entries.items()}
    return Init(by_name, spans) if len(by_name) == len(read) else None, faults


def read_rules(node: Node, types: Mapping[str, type[Layer]]) -> Found[tuple[Rule, ...]]:
    """Read the section `init:`, without the rules that have faults; `types` are the layers."""
    if is_unknown(node):
        return (), ()
    if not isinstance(node, List) or len(node.items) > MAX_RULES:
        came = f"{len(node.items):,}" if isinstance(node, List) else kind(node)
        label = f"init wants a list of at most {MAX_RULES} rules, not {came}"
        help_ = 'write init: [{match: "*.bias", zeros_}, {type: Linear, normal_: {std: 0.02}}]'
        title = "init is not a list of rules"
        return (), (Diagnostic("NB106", title, node.span, label, help=help_),)
    rules, faults = collect(_rule(item, types) for item in node.items)
    return tuple(rule for rule in rules if rule is not None), faults


def read_initializer(node: Node) -> Found[Initializer | None]:
    """Read an initializer: a name, or a mapping from the name to its arguments."""
    if is_unknown(node):
        return None, ()
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return _initializer(node._replace(text=node.value), None)
    if not isinstance(node, Map) or len(node.entries) != 1:
        came = f"not {kind(node)}"
        if isinstance(node, Map) and node.entries:
            came = f"not {' and '.join(brief(name) for name in list(node.entries)[:3])}"
        label = f"an initializer is one name with its arguments, {came}"
        help_ = "write zeros_, or {normal_: {std: 0.02}}"
        title = "an initializer in the wrong form"
        return None, (Diagnostic("NB108", title, node.span, label, help=help_),)
    ((_, (key, arguments)),) = node.entries.items()
    return _initializer(key, arguments)


def _is_by_name(node: Node) -> bool:
    """Whether a mapping has the names of parameters as keys, such as `{weight: zeros_}`.

    `{constant_: 1}` and the misspelt `{constant: 1}` have the name of an initializer as key.
    """
    return (
        isinstance(node, Map)
        and bool(node.entries)
        and not any(_is_initializer(name) for name in node.entries)
    )


def _is_initializer(name: str) -> bool:
    """Whether a name is an initializer, perhaps a misspelt one."""
    from netbuild.components.initializers import INITIALIZERS

    return name.endswith("_") or suggest(name, tuple(INITIALIZERS)) is not None


def _initializer(name: Scalar, arguments: Node | None) -> Found[Initializer | None]:
    from netbuild.components.initializers import INITIALIZERS

    component = INITIALIZERS.get(name.text)
    if component is None:
        help_, fixes = did_you_mean(name.text, INITIALIZERS, name.span)
        help_ = help_ or f"the initializers are {', '.join(INITIALIZERS)}"
        title = f"no initializer is called {brief(name.text)}"
        fault = Diagnostic("NB103", title, name.span, "unknown type", help=help_, fixes=fixes)
        return None, (fault,)
    empty = arguments is not None and is_null(arguments)
    return fill(component, Item(name, None if empty else arguments))


def _rule(node: Node, types: Mapping[str, type[Layer]]) -> Found[Rule | None]:
    if is_unknown(node):
        return None, ()
    entries = node.entries if isinstance(node, Map) else {}
    conditions = {name: entry for name, entry in entries.items() if name in _CONDITIONS}
    rest = {name: entry for name, entry in entries.items() if name not in conditions}
    stray = [entry.key for name, entry in rest.items() if not _is_initializer(name)]
    if len(rest) > 1 and stray:
        return None, tuple(_unknown_condition(key) for key in stray[:3])
    if not conditions or len(rest) != 1:
        label = "a rule is one initializer with a match, a type of layer, or both"
        help_ = 'write {match: "*.bias", zeros_}'
        title = "a rule in the wrong form"
        return None, (Diagnostic("NB108", title, node.span, label, help=help_),)
    ((_, (key, arguments)),) = rest.items()
    initializer, faults = _initializer(key, arguments)
    texts, wrong = collect(
        condition(n, entry.value, types, "a rule") for n, entry in conditions.items()
    )
    faults += wrong
    if initializer is None or None in texts:
        return None, faults
    text = dict(zip(conditions, texts, strict=True))
    place = next(iter(conditions.values())).value.span
    return Rule(initializer, text.get("match"), text.get("type"), place, key.span), faults


def _unknown_condition(key: Scalar) -> Diagnostic:
    help_, fixes = did_you_mean(key.text, _CONDITIONS, key.span)
    help_ = help_ or "the fields of a rule are match, type and an initializer"
    title = f"a rule has no field {brief(key.text)}"
    return Diagnostic("NB104", title, key.span, "unknown field", help=help_, fixes=fixes)


def condition(
    name: str, node: Node, types: Mapping[str, type[Layer]], owner: str
) -> Found[str | None]:
    """Return the pattern of `match`, or the layer's type of `type`.

    The result is None after a fault, or if it is UNKNOWN. `owner` is what the condition belongs to.
    """
    value = node.value if isinstance(node, Scalar) else None
    if value is UNKNOWN:
        return None, ()
    if name == "type" and isinstance(value, str) and value not in types:
        from netbuild.syntax.unknown_type import unknown_type

        assert isinstance(node, Scalar)
        return None, (unknown_type(node._replace(text=value), "layer", types),)
    if name == "type" and isinstance(value, str):
        return types[value].torch_name(), ()  # a Lazy name becomes the name of the layer
    if isinstance(value, str) and len(value) <= MAX_PATTERN:
        return value, ()
    phrase = "a pattern of names" if name == "match" else "the type of a layer"
    if isinstance(value, str):
        phrase += f" of at most {MAX_PATTERN} characters"
    label = f"{name} wants {phrase}, not {kind(node)}"
    title = f"a value that {owner}'s {name} does not take"
    return None, (Diagnostic("NB106", title, node.span, label),)
