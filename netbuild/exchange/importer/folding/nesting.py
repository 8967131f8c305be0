"""From the nodes of a network to nested stacks: which member stands where, and in which order.

A stack of a config runs as a unit, and a module need not: its children may be called from outside,
with other layers in between. What has no state, such as an addition, then moves into the stack.
Where that does not help, the stack is dissolved, and a comment says so.
"""

from __future__ import annotations

import heapq
import re
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from netbuild.components.layers import LAYERS
from netbuild.components.layers.layer import Layer
from netbuild.syntax.names import is_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netbuild.exchange.importer.network import Network, Node


class Box:
    """A stack while the members find their places."""

    def __init__(self, path: str, name: str, type_: str) -> None:
        self.path, self.name, self.type = path, name, type_
        self.children: dict[str, Box | Node] = {}
        self.notes: list[str] = []

    def nodes(self) -> Iterator[Node]:
        """Yield the nodes of this stack and of all stacks inside."""
        for child in self.children.values():
            if isinstance(child, Box):
                yield from child.nodes()
            else:
                yield child

    def free(self, name: str) -> str:
        """Return a name that no child has, such as `add_1`."""
        found, number = name, 0
        while found in self.children:
            number += 1
            found = f"{name}_{number}"
        return found


def boxes(network: Network) -> Box:
    """Return the stacks of a network, each with its members in an order in which they can run."""
    root = Box("", "", network.name)
    for node in network.nodes:
        *around, name = node.path.split(".")
        box = root
        for step in around:
            path = f"{box.path}.{step}" if box.path else step
            stack = network.stacks.get(path)
            inner = box.children.setdefault(step, Box(path, step, stack.type if stack else ""))
            if not isinstance(inner, Box):  # a layer whose parts are called by themselves
                inner = box.children[box.free(step)] = Box(path, step, "")
            box = inner
        box.children[box.free(name)] = node
    order = {node.path: number for number, node in enumerate(network.nodes)}
    _settle(root, order)
    return root


def is_stateless(node: Node) -> bool:
    """Whether a node has no name in `state_dict()`, so that it may stand anywhere."""
    layer = LAYERS.get(node.type)
    if node.gap or layer is None:
        return bool(node.gap)
    if node.type == "Constant":
        return not node.arguments.get("persistent")
    return layer.weights is Layer.weights and layer.buffers is Layer.buffers


def _settle(box: Box, order: dict[str, int]) -> None:
    """Name and order the members of a stack, and of all stacks inside."""
    _rename(box)
    while cycle := _cycle(box):
        _untie(box, cycle)
    _sort(box, order)
    for child in list(box.children.values()):
        if isinstance(child, Box):
            _settle(child, order)


def _rename(box: Box) -> None:
    """Give a member whose name no config can have another name, with a comment."""
    for name in list(box.children):
        if is_name(name):
            continue
        child = box.children.pop(name)
        new = box.free(re.sub(r"\W+", "_", name).strip("_-") or "member")
        new = new if is_name(new) else box.free(f"{new}_")
        box.children[new] = child
        if isinstance(child, Box) or not is_stateless(child):
            box.notes.append(f"gap: {child.path}: it is called {new} here: no config has this name")
        if isinstance(child, Box):
            child.name = new


def _sources(box: Box) -> dict[str, list[str]]:
    """Return the other members that each member needs above it, by name."""
    owner = {
        node.path: name
        for name, child in box.children.items()
        for node in (child.nodes() if isinstance(child, Box) else [child])
    }
    found: dict[str, list[str]] = {name: [] for name in box.children}
    for name, child in box.children.items():
        for node in child.nodes() if isinstance(child, Box) else [child]:
            paths = [value.path for _, value in node.inputs]
            paths += [node.reuses] if node.reuses else []
            found[name] += [owner[p] for p in paths if p in owner and owner[p] != name]
    return found


def _cycle(box: Box) -> Sequence[str]:
    """Return members that need each other; an empty list if there is an order."""
    try:
        TopologicalSorter(_sources(box)).prepare()
    except CycleError as error:
        return list(dict.fromkeys(error.args[1]))
    return []


def _untie(box: Box, cycle: Sequence[str]) -> None:
    """Make members that need each other fewer: move what has no state, or dissolve stacks."""
    inner = [name for name in cycle if isinstance(box.children[name], Box)]
    between = [name for name in cycle if name not in inner]
    nodes = [child for name in between if not isinstance(child := box.children[name], Box)]
    into = box.children[inner[0]] if inner else None
    if len(inner) == 1 and isinstance(into, Box) and all(map(is_stateless, nodes)):
        for name in between:
            into.children[into.free(name)] = box.children.pop(name)
        return
    if not inner:  # two nodes that read each other; no network runs so
        box.children.pop(between[0])
        return
    for name in inner:
        _dissolve(box, name)


def _dissolve(box: Box, name: str) -> None:
    """Put the members of an inner stack in its place."""
    inner = box.children.pop(name)
    assert isinstance(inner, Box)
    box.notes.append(
        f"gap: {inner.path}: its layers stand here by themselves and are called {name}_…, "
        "because others run between them"
    )
    box.notes += inner.notes
    for own, child in inner.children.items():
        new = box.free(f"{name}_{own}")
        if isinstance(child, Box):
            child.name = new
        box.children[new] = child


def _sort(box: Box, order: dict[str, int]) -> None:
    """Order the members: each one behind what it reads, and otherwise as they ran."""
    sources = _sources(box)
    first = {
        name: min((order[node.path] for node in child.nodes()), default=0)
        if isinstance(child, Box)
        else order[child.path]
        for name, child in box.children.items()
    }
    readers: dict[str, list[str]] = {name: [] for name in box.children}
    waiting = {name: len(set(needed)) for name, needed in sources.items()}
    for name, needed in sources.items():
        for source in set(needed):
            readers[source].append(name)
    ready = [(first[name], name) for name, count in waiting.items() if not count]
    heapq.heapify(ready)
    done: dict[str, Box | Node] = {}
    while ready:
        _, name = heapq.heappop(ready)
        done[name] = box.children[name]
        for reader in readers[name]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, (first[reader], reader))
    box.children = done
