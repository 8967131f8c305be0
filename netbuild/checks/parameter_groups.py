"""Parameter groups: special options of the optimizer for the weights that match a pattern.

    optimizer: {AdamW: {lr: 1e-3}, groups: [{match: "features.*", lr: 1e-4}]}

A pattern matches the path of a layer or a name in `state_dict()`, as in `init:`. A weight belongs
to the first group that matches it. A weight without a group has the options of the optimizer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.tensor import product
from netbuild.config.parameter_groups import Group, assigned
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.diagnostics.wording import brief, similar_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.components.optimizers.optimizer import Weight
    from netbuild.config.optimizer import Optimizing


class Described(NamedTuple):
    """A group, as `netbuild train` prints it before the training."""

    name: str
    weights: int
    params: int
    options: str


def described(one: Optimizing, own: Sequence[Weight]) -> list[Described]:
    """Return the groups of an optimizer's weights. The last group holds all other weights."""
    sizes = {weight.name: product(weight.shape) for weight in own}
    found = []
    for number, names in enumerate(assigned(sizes, one.groups)):
        group = one.groups[number] if number < len(one.groups) else None
        options = group.options if group else {}
        text = ", ".join(f"{name} {value}" for name, value in options.items())
        params = sum(sizes[name] for name in names)
        rest = "all others" if one.groups else "all"
        if group or names:
            found.append(Described(group.match if group else rest, len(names), params, text))
    return found


def check(
    names: Sequence[str], groups: Sequence[Group], frozen: Sequence[str] = ()
) -> list[Diagnostic]:
    """Return a fault for each group without weights.

    `names` are the weights that learn, and `frozen` those that never do.
    """
    found = []
    for group, own in zip(groups, assigned(names, groups), strict=False):
        if own:
            continue
        early = any(group.matches(name) for name in names)
        label = "earlier groups have all the weights that it matches"
        if not early:
            label = f"no trainable weight is called {brief(group.match)}"
        help_, fixes = (None, ()) if early else similar_pattern(group.match, names, group.span)
        if not early and any(group.matches(name) for name in frozen):
            label, fixes = "all weights that it matches are frozen", ()
            help_ = "remove the group, or let them learn: train: {unfreeze: …}"
        title = "a group without weights"
        found.append(Diagnostic("NB408", title, group.span, label, help=help_, fixes=fixes))
    return found
