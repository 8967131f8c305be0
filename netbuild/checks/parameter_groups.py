"""Parameter groups: other options of the optimizer for the weights that a pattern names.

    optimizer: {AdamW: {lr: 1e-3}, groups: [{match: "features.*", lr: 1e-4}]}

A pattern is for a layer's path or for a name in `state_dict()`, as those of `init:` are. The first
group that matches a weight has it; what none matches has the options of the optimizer itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.tensor import product
from netbuild.config.parameter_groups import Group, assigned
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.diagnostics.wording import brief
from netbuild.graph.value import state_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.graph.graph import Graph


class Described(NamedTuple):
    """A group as it is printed before training."""

    name: str
    weights: int
    params: int
    options: str


def described(graph: Graph) -> list[Described]:
    """Return the groups of a network's weights that learn, the last of them the rest."""
    groups = graph.config.groups
    sizes = {
        state_key(row.path, name): product(shape)
        for row in graph.rows
        if not row.frozen
        for name, shape in row.weights.items()
    }
    found = []
    for number, names in enumerate(assigned(sizes, groups)):
        group = groups[number] if number < len(groups) else None
        options = group.options if group else {}
        text = ", ".join(f"{name} {value}" for name, value in options.items())
        params = sum(sizes[name] for name in names)
        if group or names:
            found.append(
                Described(group.match if group else "all others", len(names), params, text)
            )
    return found


def check(names: Sequence[str], groups: Sequence[Group]) -> list[Diagnostic]:
    """Return the faults of groups that have nothing, for weights of these names that learn."""
    found = []
    for group, own in zip(groups, assigned(names, groups), strict=False):
        if own:
            continue
        early = any(group.matches(name) for name in names)
        label = "the groups before it have all that it matches"
        if not early:
            label = f"no weight that learns is called {brief(group.match)}"
        help_ = f"a name is written like {names[0]}" if names and not early else None
        title = "a group without weights"
        found.append(Diagnostic("NB408", title, group.span, label, help=help_))
    return found
