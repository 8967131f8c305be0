"""Which initializer each parameter gets: beside its layer, or by the rules of the section `init:`.

Beside a layer, `init: xavier_normal_` is for its weights, and
`init: {weight: {normal_: {std: 0.02}}, bias: zeros_}` names the parameters. The section `init:` is
a list of rules, each an initializer with a pattern, the type of a layer, or both:

    init:
      - {match: "*.bias", zeros_}
      - {type: Conv2d, kaiming_normal_: {nonlinearity: relu}}

A pattern has the wildcards of a shell, and `*` also stands for dots. Where it matches the path of a
layer the rule is for the layer's weights, otherwise for the parameters whose names in
`state_dict()` it matches. A weight is a parameter whose last name has `weight` in it: the weight of
a layer, `weight_ih_l0`, `in_proj_weight`. Of several rules for a parameter the first counts, and
before all of them what stands beside the layer.
"""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from netbuild.component import fill
from netbuild.diagnostic import Diagnostic, Span, brief, did_you_mean, suggest
from netbuild.graph import state_key
from netbuild.item import Item, kind, unknown_type
from netbuild.node import UNKNOWN, List, Map, Node, Scalar, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torch import nn

    from netbuild.graph import Graph, Row
    from netbuild.initializers import Initializer
    from netbuild.layers.layer import Layer

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

    def applies(self, row: Row, parameter: str) -> bool:
        """Whether it is for a parameter of a layer."""
        if self.type not in {None, row.type}:
            return False
        if self.match is None or fnmatchcase(row.path, self.match):
            return is_weight(parameter)
        return fnmatchcase(state_key(row.path, parameter), self.match)


def is_weight(parameter: str) -> bool:
    """Whether a parameter of a layer is a weight, by its name; one without is all there is."""
    return parameter == "" or "weight" in parameter.rpartition(".")[2]


def plan(rows: Iterable[Row], rules: Sequence[Rule]) -> dict[str, Initializer]:
    """Return the initializer of each parameter that has one, by its name in `state_dict()`."""
    return {
        use.name: use.initializer for row in rows for use in _uses(row, rules) if use.initializer
    }


def initialise(module: nn.Module, graph: Graph) -> None:
    """Initialise the parameters of a graph's module, in the order of its layers.

    What is random is drawn from torch's generator, as torch's own initial weights are.
    """
    from torch.nn import init

    for name, initializer in plan(graph.rows, graph.config.init).items():
        function = getattr(init, initializer.torch_name())
        function(module.get_parameter(name), **initializer.model_dump())


def faults(rows: Sequence[Row], rules: Sequence[Rule]) -> list[Diagnostic]:
    """Return what is wrong with the initializers of a whole network.

    A repeated layer is blamed once, and so is a rule for many layers.
    """
    if not rules and all(row.init is None for row in rows):
        return []
    found: dict[Span, Diagnostic] = {}
    matched, used, example = Counter[Span](), set[Span](), ""
    for row in rows:
        for fault in _strange_names(row):
            found.setdefault(fault.span, fault)
        for use in _uses(row, rules):
            example = example or use.name
            matched.update(use.matched)
            if use.initializer is None or use.span is None:
                continue
            used.add(use.span)
            wanted = use.initializer.misfit(use.shape)
            if wanted is not None:
                called = use.initializer.torch_name()
                label = f"{called} wants {wanted}, and {use.name} ({row.type}) is {_sizes(use)}"
                title = f"{called} does not fit its tensor"
                fault = Diagnostic("NB404", title, use.span, label, layer=row.path)
                found.setdefault(use.span, fault)
    unused = (rule for rule in rules if rule.span not in used)
    return [*found.values(), *(_nothing(rule, matched[rule.span], example) for rule in unused)]


class _Use(NamedTuple):
    """A parameter and what initializes it: torch itself where that is None."""

    name: str
    shape: tuple[int, ...]
    initializer: Initializer | None
    span: Span | None
    matched: list[Span]  # of the rules that are for it, used or not


def _uses(row: Row, rules: Sequence[Rule]) -> Iterator[_Use]:
    init = row.init
    for parameter, shape in row.weights.items():
        own = "" if is_weight(parameter) else parameter
        name = state_key(row.path, parameter)
        applying = [rule for rule in rules if rule.applies(row, parameter)]
        matched = [rule.span for rule in applying]
        by_name = init.by_name if init else {}
        key = parameter if parameter in by_name else own
        if key in by_name and init:
            yield _Use(name, shape, by_name[key], init.spans[key], matched)
        elif applying:
            yield _Use(name, shape, applying[0].initializer, applying[0].span, matched)
        else:
            yield _Use(name, shape, None, None, matched)


def _strange_names(row: Row) -> Iterator[Diagnostic]:
    """Yield faults of what stands beside a layer for parameters that it does not have."""
    init = row.init
    title = "an initializer without a tensor"
    for name, span in init.spans.items() if init else ():
        if name == "" and not any(map(is_weight, row.weights)):
            label = f"{row.type} has no weights"
            yield Diagnostic("NB405", title, span, label, layer=row.path)
        elif name and name not in row.weights:
            help_, fixes = did_you_mean(name, row.weights, span)
            if help_ is None and row.weights:
                help_ = f"its parameters are {', '.join(row.weights)}"
            label = f"{row.type} has no parameter {brief(name)}"
            yield Diagnostic("NB405", title, span, label, help=help_, layer=row.path, fixes=fixes)


def _nothing(rule: Rule, matched: int, example: str) -> Diagnostic:
    title = "a rule that matches nothing"
    help_ = f"a name is written like {example}" if example else None
    if matched:
        title = "a rule that comes too late"
        plural = "s" if matched > 1 else ""
        label = f"what it matches is initialized already: {matched} parameter{plural}"
        help_ = "the first rule counts, and before it what stands beside a layer"
    elif rule.match is None:
        label, help_ = f"no {rule.type} of the network has weights", None
    elif rule.type is None:
        label = f"no layer with weights and no parameter is called {rule.match}"
    else:
        label = f"no {rule.type} with weights and no parameter of one is called {rule.match}"
    return Diagnostic("NB405", title, rule.condition, label, help=help_)


def _sizes(use: _Use) -> str:
    return "×".join(map(str, use.shape)) or "one number"


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
    from netbuild.initializers import INITIALIZERS

    return name.endswith("_") or suggest(name, tuple(INITIALIZERS)) is not None


def _filled(name: Scalar, arguments: Node | None, faults: list[Diagnostic]) -> Initializer | None:
    from netbuild.initializers import INITIALIZERS

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
