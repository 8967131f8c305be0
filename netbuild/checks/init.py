"""The initializer of each parameter: from its layer, or from the rules of the section `init:`.

At a layer, `init: xavier_normal_` applies to the layer's weights, and
`init: {weight: {normal_: {std: 0.02}}, bias: zeros_}` names the parameters. The section `init:` is
a list of rules. Each rule has an initializer, and a pattern, a type of layer, or both:

    init:
      - {match: "*.bias", zeros_}
      - {type: Conv2d, kaiming_normal_: {nonlinearity: relu}}

A pattern has the wildcards of a shell, and `*` also matches dots. A pattern that matches the path
of a layer applies to that layer's weights. Any other pattern applies to the parameters whose names
in `state_dict()` it matches. A weight is a parameter whose last name contains `weight`, such as
`weight`, `weight_ih_l0` and `in_proj_weight`. The first matching rule applies. An `init:` at the
layer comes before all rules.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from netbuild.config.init import Rule, is_weight
from netbuild.diagnostics.diagnostic import Diagnostic, Span
from netbuild.diagnostics.wording import brief, did_you_mean, similar_pattern
from netbuild.graph.value import state_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from netbuild.components.initializers import Initializer
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row


def rules_of(graph: Graph) -> tuple[Rule, ...]:
    """Return the rules of a config, and then those of the files of its blocks, the outer first."""
    uses = sorted(graph.calls.blocks.items(), key=lambda use: use[0].count("."))
    within = [rule._replace(within=path) for path, call in uses for rule in call.rules]
    return (*graph.config.init, *within)


def plan(rows: Iterable[Row], rules: Sequence[Rule]) -> dict[str, Initializer]:
    """Return the initializers by the names of their parameters in `state_dict()`."""
    return {
        use.name: use.initializer for row in rows for use in uses(row, rules) if use.initializer
    }


def check(rows: Sequence[Row], rules: Sequence[Rule]) -> list[Diagnostic]:
    """Return the faults of the initializers of a whole network.

    A repeated layer gives one fault, and so does a rule for many layers.
    """
    if not rules and all(row.init is None for row in rows):
        return []
    found: dict[Span, Diagnostic] = {}
    matched, used = Counter[Span](), set[Span]()
    names: list[str] = []
    for row in rows:
        for fault in () if row.reuses else _strange_names(row):
            found.setdefault(fault.span, fault)
        for use in uses(row, rules):
            names.append(use.name)
            matched.update(use.matched)
            if use.initializer is None or use.span is None:
                continue
            used.add(use.span)
            wanted = use.initializer.misfit(use.shape)
            if wanted is not None:
                called = use.initializer.torch_name()
                label = f"{called} needs {wanted}, but {use.name} ({row.type}) is {_sizes(use)}"
                title = f"{called} does not fit its tensor"
                fault = Diagnostic("NB404", title, use.span, label, layer=row.path)
                found.setdefault(use.span, fault)
    unused = (rule for rule in rules if rule.span not in used and not rule.within)
    return [*found.values(), *(_nothing(rule, matched[rule.span], names) for rule in unused)]


class Use(NamedTuple):
    """A parameter and its initializer. None leaves the parameter to torch's default."""

    #: Its name in `state_dict()`, and in the module of its layer.
    name: str
    parameter: str
    shape: tuple[int, ...]
    initializer: Initializer | None
    span: Span | None
    matched: list[Span]  # the rules that match it, applied or not


def uses(row: Row, rules: Sequence[Rule]) -> Iterator[Use]:
    """Yield each parameter of a layer with its initializer."""
    init = row.init
    for parameter, shape in row.weights.items():
        own = "" if is_weight(parameter) else parameter
        name = state_key(row.path, parameter)
        applying = [rule for rule in rules if rule.applies(row.path, row.type, parameter, name)]
        matched = [rule.span for rule in applying]
        by_name = init.by_name if init else {}
        key = parameter if parameter in by_name else own
        if key in by_name and init:
            yield Use(name, parameter, shape, by_name[key], init.spans[key], matched)
        elif applying:
            first = applying[0]
            yield Use(name, parameter, shape, first.initializer, first.span, matched)
        else:
            yield Use(name, parameter, shape, None, None, matched)


def _strange_names(row: Row) -> Iterator[Diagnostic]:
    """Yield a fault for each initializer of a layer that names a missing parameter."""
    init = row.init
    title = "an initializer that applies to nothing"
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


def _nothing(rule: Rule, matched: int, names: Sequence[str]) -> Diagnostic:
    title = "a rule that matches nothing"
    help_, fixes = similar_pattern(rule.match or "*", names, rule.condition)
    if matched:
        title = "a rule that comes too late"
        plural = "s" if matched > 1 else ""
        label = f"all that it matches is already initialized: {matched} parameter{plural}"
        help_ = "the first matching rule applies; init: at a layer comes before all rules"
        fixes = ()
    elif rule.match is None:
        label, help_ = f"no {rule.type} of the network has weights", None
    elif rule.type is None:
        label = f"no parameter and no layer with weights is called {rule.match}"
    else:
        label = f"no {rule.type} with weights, or parameter of one, is called {rule.match}"
    return Diagnostic("NB405", title, rule.condition, label, help=help_, fixes=fixes)


def _sizes(use: Use) -> str:
    return "×".join(map(str, use.shape)) or "one number"
