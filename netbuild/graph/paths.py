"""The paths of layers and stacks, and suggestions for a path that no layer has."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from netbuild.diagnostics.wording import brief

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.graph.graph import Graph


def paths(graph: Graph) -> list[str]:
    """Return the paths of all stacks, then the paths of all layers."""
    above = (row.path[:end] for row in graph.rows for end in dots(row.path))
    return list(dict.fromkeys([*above, *(row.path for row in graph.rows)]))


def dots(path: str) -> Iterator[int]:
    """Yield the end of the path of each stack around a path, the outermost stack first."""
    return (end for end, character in enumerate(path) if character == ".")


def unknown(graph: Graph, layer: str) -> str:
    """Return the message for an unknown path: it lists the names at the first wrong part."""
    known = paths(graph)
    names = layer.split(".")
    right = 0
    while ".".join(names[: right + 1]) in known:
        right += 1
    stack, (wrong, *rest) = ".".join(names[:right]), names[right:]
    start = f"{stack}." if stack else ""
    below = (row.path.removeprefix(start) for row in graph.rows if row.path.startswith(start))
    there = [*dict.fromkeys(path.split(".")[0] for path in below)]
    near = [f"{start}{name}" for name in _near(wrong, there)]
    said = _listed(start, there) if there else f"{stack} is a layer and contains no other layers"
    if near:
        whole = [".".join([path, *rest]) for path in near]
        *others, last = [path for path in whole if path in known] or near
        said = f"did you mean {' or '.join([', '.join(others), last] if others else [last])}?"
    return f"{graph.config.document.name} has no layer {brief(layer)}: {said}"


def no_stack(graph: Graph, path: str) -> str | None:
    """Return the message for a path that is no stack; None for a stack."""
    if any(row.path.startswith(f"{path}.") for row in graph.rows):
        return None
    is_layer = any(row.path == path for row in graph.rows)
    return f"{path} is a layer, and contains no others" if is_layer else unknown(graph, path)


def _listed(start: str, there: list[str]) -> str:
    """Return the members of a stack. If all are numbers, return the first and the last."""
    found = [f"{start}{name}" for name in there]
    if len(found) == 1:
        return f"there is {found[0]}"
    if all(name.isdecimal() for name in there):
        return f"there are {found[0]} to {found[-1]}"
    return f"there are {brief(', '.join(found), 60)}"


def _near(name: str, there: list[str]) -> list[str]:
    """Return the few most similar names. Numbers are left out: they all look alike."""
    folded = {each.lower(): each for each in there if not each.isdecimal()}
    found = get_close_matches(name[:40].lower(), folded, n=3, cutoff=0.7)  # quadratic in the name
    return [each for key, each in folded.items() if key in found]
