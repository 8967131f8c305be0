"""The `groups:` beside an optimizer: parameters with options of their own."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.config.filling import fill
from netbuild.diagnostics.diagnostic import Diagnostic, collect
from netbuild.syntax.item import Item, kind
from netbuild.syntax.node import List, Map, Node, Scalar, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netbuild.components.optimizers.optimizer import Optimizer
    from netbuild.diagnostics.diagnostic import Found, Span

_HELP = 'write groups: [{match: "features.*", lr: 1e-4}]'


class Group(NamedTuple):
    """A pattern of names, and what the optimizer does otherwise with what it matches."""

    match: str
    options: dict[str, Any]
    span: Span  # of the pattern

    def matches(self, name: str) -> bool:
        """Whether a weight belongs to it, by its name or that of its layer."""
        return fnmatchcase(name, self.match) or fnmatchcase(name.rpartition(".")[0], self.match)


def read_groups(item: Item, optimizer: Optimizer) -> Found[tuple[Group, ...]]:
    """Read what stands beside an optimizer; what has a fault is left out."""
    if "groups" not in item.modifiers:
        return (), ()
    key, node = item.modifiers["groups"]
    if isinstance(node, Scalar) and node.value is None:
        return (), ()
    if not isinstance(node, List):
        label = f"groups wants a list, not {kind(node)}"
        return (), (Diagnostic("NB106", "groups is no list", node.span, label, help=_HELP),)
    if type(optimizer).__name__ == "LBFGS":
        label = "LBFGS searches for all weights at once, and takes no groups"
        return (), (Diagnostic("NB406", "groups that do not go with LBFGS", key.span, label),)
    groups, faults = collect(_group(part, item, type(optimizer)) for part in node.items)
    return tuple(group for group in groups if group is not None), faults


def _group(node: Node, item: Item, optimizer: type[Optimizer]) -> Found[Group | None]:
    entries = dict(node.entries) if isinstance(node, Map) else {}
    match = entries.pop("match", None)
    if match is None or not entries:
        lacks = "an option, such as lr" if match else "match, a pattern of names"
        label = f"it lacks {lacks}" if isinstance(node, Map) else f"not {kind(node)}"
        title = "a group is a pattern with its options"
        return None, (Diagnostic("NB106", title, node.span, label, help=_HELP),)
    pattern = match.value
    if not isinstance(pattern, Scalar) or not isinstance(pattern.value, str):
        label = f"match wants a pattern of names, not {kind(pattern)}"
        fault = Diagnostic("NB106", "a pattern that is none", pattern.span, label)
        return None, () if is_unknown(pattern) else (fault,)
    # What the optimizer itself has counts too: some options go only with others.
    own = item.arguments.entries if isinstance(item.arguments, Map) else {}
    whole = item._replace(arguments=Map({**own, **entries}, node.span))
    filled, faults = fill(optimizer, whole)
    if filled is None:
        return None, faults
    return Group(pattern.value, {n: getattr(filled, n) for n in entries}, pattern.span), faults


def assigned(names: Iterable[str], groups: Sequence[Group]) -> list[list[str]]:
    """Return the names of each group, and last of those that are in none."""
    found: list[list[str]] = [[] for _ in range(len(groups) + 1)]
    for name in names:
        number = next((n for n, group in enumerate(groups) if group.matches(name)), len(groups))
        found[number].append(name)
    return found
