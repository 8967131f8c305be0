"""Blocks: stacks of one class, defined once and used many times."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netbuild.components.layers import LAYERS
from netbuild.exchange.importer.folding.parameters import Use, block
from netbuild.exchange.importer.folding.runs import CONTAINERS, with_runs
from netbuild.exchange.importer.folding.template import NoTemplateError, Part, merged, template
from netbuild.exchange.importer.folding.tree import Block, Group, Leaf
from netbuild.exchange.importer.folding.writing import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netbuild.exchange.importer.folding.tree import Member

#: The number of equal stacks without a class that make a block.
_NAMELESS = 3
#: The lines that such a block has to save.
_WORTH = 4


def folded(root: Group) -> tuple[Group, list[Block]]:
    """Return a network with blocks and repetitions, and its blocks: the inner ones first."""
    blocks: list[Block] = []
    done: set[str] = set()
    while ready := _ready(root, done):
        done |= {group.path for group in ready}
        uses = _fold(ready, blocks)
        root = _replaced(root, uses)
    root = with_runs(root)
    while uses := _fold_nameless(root, blocks):
        root = _replaced(root, uses)
    return with_runs(root), blocks


def _fold_nameless(root: Group, blocks: list[Block]) -> dict[str, Member]:
    """Make a block of equal stacks of layers without a class of their own; return its uses."""
    alike: dict[tuple[str, ...], list[Group]] = {}
    for group in _groups(root):
        leaves = [member for member in group.members if isinstance(member, Leaf)]
        if group.type in CONTAINERS and 2 <= len(leaves) == len(group.members):
            alike.setdefault(tuple(leaf.type for leaf in leaves), []).append(group)
    for types, groups in alike.items():
        parts = _templates(groups)
        if len(groups) < _NAMELESS or len(parts) != 1:
            continue
        name = _block_name("".join(map(_short, types[:3])), [one.name for one in blocks])
        made, values = block(name, parts[0].whole)
        uses = _uses(parts[0].groups, made, values)
        if _is_shorter(made, uses, groups):
            blocks.append(made)
            return uses
    return {}


def _short(type_: str) -> str:
    """Return the name of a layer without its axes: `Conv` for `Conv2d`."""
    return re.sub(r"\dd$", "", type_)


def _is_shorter(made: Block, uses: Mapping[str, Member], groups: Sequence[Group]) -> bool:
    """Whether a block and its uses have fewer lines than its stacks, or far fewer characters."""
    writer = Writer({made.name: tuple(made.params)})
    around = made.body._replace(inputs=(), listed=False)
    inline = [*writer.lines(around._replace(members=tuple(groups)), "  ")]
    folded_ = [*writer.lines(around._replace(members=tuple(uses.values())), "  ")]
    folded_ += [*writer.definition(made)]
    characters = 3 * sum(map(len, folded_)) < 2 * sum(map(len, inline))
    return characters or len(folded_) <= len(inline) - _WORTH


def _ready(root: Group, done: set[str]) -> list[Group]:
    """Return the stacks of one class that can be folded next: all stacks inside them are done."""
    by_class: dict[str, list[Group]] = {}
    waiting: dict[str, bool] = {}
    for group in _groups(root):
        if group.type in CONTAINERS or group.path in done:
            continue
        inner = [g for g in _groups(group) if g.type not in CONTAINERS and g.path not in done]
        if any(g.type == group.type for g in inner):
            continue  # a class inside itself: the inner ones first
        by_class.setdefault(group.type, []).append(group)
        waiting[group.type] = waiting.get(group.type, False) or bool(inner)
    for type_, groups in by_class.items():
        if not waiting[type_]:
            return groups
    free = [g for groups in by_class.values() for g in groups if _is_innermost(g, done)]
    return [g for g in free if g.type == free[0].type]


def _is_innermost(group: Group, done: set[str]) -> bool:
    return all(g.type in CONTAINERS or g.path in done for g in _groups(group))


def _groups(group: Group) -> Iterator[Group]:
    """Yield all stacks inside a stack."""
    for member in group.members:
        if isinstance(member, Group):
            yield member
            yield from _groups(member)


def _replaced(group: Group, uses: Mapping[str, Member]) -> Group:
    """Return a stack with other members at some paths."""
    members = tuple(
        uses.get(member.path) or (_replaced(member, uses) if isinstance(member, Group) else member)
        for member in group.members
    )
    return group._replace(members=members)


class _Cluster:
    """Stacks with a template in common."""

    def __init__(self, first: Group, whole: Part) -> None:
        self.groups, self.whole = [first], whole


def _fold(groups: Sequence[Group], blocks: list[Block]) -> dict[str, Member]:
    """Make blocks of the stacks of one class; return the uses of the blocks by path."""
    uses: dict[str, Member] = {}
    for cluster in _templates([with_runs(group) for group in groups]):
        if not _is_worth(cluster):
            continue
        name = _block_name(cluster.groups[0].type, [one.name for one in blocks])
        made, values = block(name, cluster.whole)
        blocks.append(made)
        uses |= _uses(cluster.groups, made, values)
    return uses


def _templates(groups: Sequence[Group]) -> list[_Cluster]:
    """Return the templates of some stacks: as few as possible."""
    clusters: list[_Cluster] = []
    for group in groups:
        try:
            own = template(group._replace(modifiers={}, name="", notes=()))
        except NoTemplateError:
            continue
        _join(clusters, group, own)
    return clusters


def _uses(groups: Sequence[Group], made: Block, values: Sequence[Use]) -> dict[str, Member]:
    """Return the items that use a block in the place of its stacks, by path."""
    found: dict[str, Member] = {}
    for group, use in zip(groups, values, strict=True):
        leaf = Leaf(group.name, made.name, use.values, group.reads, group.modifiers, group.ports)
        found[group.path] = leaf._replace(
            notes=group.notes,
            path=group.path,
            x=group.x,
            defaults=use.defaults,
            last=group.last,
        )
    return found


def _join(clusters: list[_Cluster], group: Group, own: Part) -> None:
    """Add a stack to the cluster with the most in common, or to a new one."""
    best: tuple[int, _Cluster, Part] | None = None
    for cluster in clusters:
        try:
            whole = merged(cluster.whole, own)
        except NoTemplateError:
            continue
        missing = _optional(whole)
        if best is None or missing < best[0]:
            best = missing, cluster, whole
    if best is None:
        clusters.append(_Cluster(group, own))
    else:
        best[1].groups.append(group)
        best[1].whole = best[2]


def _optional(part: Part) -> int:
    """Return the number of members that some stacks lack."""
    return sum(one.optional + _optional(one) for one in part.parts or ())


def _is_worth(cluster: _Cluster) -> bool:
    """Whether a block is shorter than its stacks written out."""
    inline = sum(map(_lines, cluster.groups))
    size = sum(_part_lines(one) for one in cluster.whole.parts or ())
    return len(cluster.groups) > 1 and 3 + size + len(cluster.groups) < inline


def _lines(member: Member) -> int:
    return 1 + sum(map(_lines, member.members)) if isinstance(member, Group) else 1


def _part_lines(part: Part) -> int:
    return 1 + sum(map(_part_lines, part.parts or ()))


def _block_name(type_: str, taken: Sequence[str]) -> str:
    """Return the name of a block for the name of a class."""
    plain = re.sub(r"\W", "", type_).strip("_") or "Block"
    plain = plain[:1].upper() + plain[1:]
    if not plain[0].isalpha():
        plain = f"Block{plain}"
    if plain in LAYERS or plain == "Reuse":
        plain = f"{plain}Block"
    found, number = plain, 1
    while found in taken or found in LAYERS:
        number += 1
        found = f"{plain}{number}"
    return found
