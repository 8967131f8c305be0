"""The modifier `groups` of an optimizer: weights with their own options."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.config.filling import fill
from netbuild.config.parametrize import name_in_file
from netbuild.diagnostics.diagnostic import Diagnostic, collect
from netbuild.diagnostics.wording import suggest
from netbuild.syntax.item import Item, kind
from netbuild.syntax.node import List, Map, Node, Scalar, is_null, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netbuild.components.optimizers.optimizer import Optimizer
    from netbuild.diagnostics.diagnostic import Found, Span

_HELP = 'write groups: [{match: "features.*", lr: 1e-4}]'


class Group(NamedTuple):
    """A pattern of names, and the options of the optimizer for the weights that it matches."""

    match: str
    options: dict[str, Any]
    span: Span  # the place of the pattern

    def matches(self, name: str) -> bool:
        """Whether the pattern matches the name of a weight, or the path of its layer."""
        return matches(self.match, name)


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern matches the name of a weight, or the path of its layer.

    A parametrized weight has the name that it has in a file, such as `conv.weight`.
    """
    name = name_in_file(name)
    return fnmatchcase(name, pattern) or fnmatchcase(name.rpartition(".")[0], pattern)


def read_groups(item: Item, optimizer: Optimizer) -> Found[tuple[Group, ...]]:
    """Read the modifier `groups`, without the groups that have faults."""
    if "groups" not in item.modifiers:
        return (), ()
    key, node = item.modifiers["groups"]
    if is_null(node):
        return (), ()
    if not isinstance(node, List):
        label = f"groups wants a list, not {kind(node)}"
        return (), (Diagnostic("NB106", "groups is not a list", node.span, label, help=_HELP),)
    if type(optimizer).__name__ == "LBFGS":
        label = "LBFGS changes all weights together, with the same options"
        return (), (Diagnostic("NB406", "groups that LBFGS does not take", key.span, label),)
    groups, faults = collect(_group(part, item, type(optimizer)) for part in node.items)
    return tuple(group for group in groups if group is not None), faults


def _group(node: Node, item: Item, optimizer: type[Optimizer]) -> Found[Group | None]:
    entries = dict(node.entries) if isinstance(node, Map) else {}
    match = entries.pop("match", None)
    if match is None or not entries:
        missing = "an option, such as lr" if match else "match, a pattern of names"
        label = f"a group is a mapping with match and options, not {kind(node)}"
        if isinstance(node, Map):
            label = f"this group needs {missing}"
        title = "a group in the wrong form"
        return None, (Diagnostic("NB106", title, node.span, label, help=_HELP),)
    pattern = match.value
    if not isinstance(pattern, Scalar) or not isinstance(pattern.value, str):
        label = f"match wants a pattern of names, not {kind(pattern)}"
        fault = Diagnostic("NB106", "a pattern that is not a text", pattern.span, label)
        return None, () if is_unknown(pattern) else (fault,)
    # The options of the optimizer itself are validated too, because some options need others.
    own = item.arguments.entries if isinstance(item.arguments, Map) else {}
    fields = tuple(optimizer.model_fields)
    misspelt = {suggest(name, fields) for name in entries if name not in fields}
    own = {name: entry for name, entry in own.items() if name not in misspelt}
    merged = item._replace(arguments=Map({**own, **entries}, node.span))
    filled, faults = fill(optimizer, merged)
    if filled is None:
        return None, faults
    return Group(pattern.value, {n: getattr(filled, n) for n in entries}, pattern.span), faults


def assigned(names: Iterable[str], groups: Sequence[Group]) -> list[list[str]]:
    """Return the names in each group, and last the names in no group."""
    members: list[list[str]] = [[] for _ in range(len(groups) + 1)]
    for name in names:
        number = next((n for n, group in enumerate(groups) if group.matches(name)), len(groups))
        members[number].append(name)
    return members
