"""Whose weights a call reads: the path of the item, ties to other items, and repeated calls."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.exchange.importer.conversion.layouts import Gap
from netbuild.exchange.importer.recording.recording import Ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import nn

    from netbuild.exchange.importer.conversion.context import Context
    from netbuild.exchange.importer.network import Node


class Owner(NamedTuple):
    """The place of a layer. Without a path it gets a name in the stack at hand."""

    path: str | None = None
    reuses: str | None = None
    modifiers: Mapping[str, Any] = MappingProxyType({})


#: The most parameters that a sentence names.
_LISTED = 5
#: A layer without weights.
NOBODY = Owner()


def of_module(c: Context, module: nn.Module, modifiers: Mapping[str, Any]) -> Owner:
    """Return the place of a module that is called."""
    path, again = str(c.call.path), c.call.again
    weighted = any(True for _ in module.state_dict())
    if again is not None:
        inside = c.call.place.again is not None
        beside = _above(again) == _above(path)
        known = path in c.names.modules
        if inside or (beside and not (known and weighted)):
            return Owner(path, again)
        if not weighted:
            return Owner(path, None, modifiers)
    ties = _ties(c, path, module)
    return Owner(path, None, {**modifiers, **({"tie": ties} if ties else {})})


def frozen_alone(module: nn.Module, nodes: Iterable[Node]) -> tuple[str, ...]:
    """Return a gap for each layer of which only some parameters are frozen."""
    all_frozen = [name for name, one in module.named_parameters() if not one.requires_grad]
    found = []
    for node in nodes if all_frozen else ():
        if node.gap or node.reuses or node.modifiers.get("freeze"):
            continue
        below = f"{node.path}."
        frozen = [name.removeprefix(below) for name in all_frozen if name.startswith(below)]
        if frozen:
            more = f" and {len(frozen) - _LISTED} more" if len(frozen) > _LISTED else ""
            names = f"{', '.join(frozen[:_LISTED])}{more}"
            found.append(
                f"gap: {node.path}: of its parameters only {names} "
                f"{'is' if len(frozen) == 1 else 'are'} frozen, and a config freezes whole layers"
            )
    return tuple(found)


def _above(path: str) -> str:
    return path.rpartition(".")[0]


def _ties(c: Context, path: str, module: nn.Module) -> dict[str, str]:
    """Return the parameters of a module that stand elsewhere, and note the others."""
    found = {}
    for name, parameter in module.named_parameters():
        key = f"{path}.{name}"
        first = c.parameters.setdefault(id(parameter), key)
        if first != key:
            found[name] = first
    buffers = [name for name, _ in module.named_buffers()]
    if found and buffers:
        raise Gap("it shares its weights with a layer elsewhere, and statistics cannot be tied")
    return found


def of_weights(c: Context, **given: Any) -> Owner:
    """Return the place of a layer with parameters of these names in it; None is left out.

    Raises:
        Gap: they are no parameters of one module, or have other names there.
    """
    names = {}
    for name, ref in given.items():
        if ref is None:
            continue
        leaf = c.recorded.leaves.get(ref) if isinstance(ref, Ref) else None
        if leaf is None or leaf.kind == "input":
            raise Gap("its weights are computed, and a config holds them as they are")
        names[name] = leaf
    if not names:
        return NOBODY
    homes = {_above(leaf.name) for leaf in names.values()}
    own = all(leaf.name.rpartition(".")[2] == name for name, leaf in names.items())
    frozen = not any(leaf.tensor.requires_grad for leaf in names.values())
    modifiers: dict[str, Any] = {"freeze": True} if frozen else {}
    home = next(iter(homes))
    place = c.call.place
    path = place.path if place.name == home else home
    if len(homes) == 1 and own and home and path not in c.items:
        for name, leaf in names.items():
            key = c.parameters.setdefault(id(leaf.tensor), f"{path}.{name}")
            if key != f"{path}.{name}" and place.again is None:
                modifiers.setdefault("tie", {})[name] = key
        c.items[path] = home
        again = place.again if place.name == home else None
        return Owner(path, again, {} if again else modifiers)
    ties = {name: c.parameters.get(id(leaf.tensor)) for name, leaf in names.items()}
    if None in ties.values():
        raise Gap("its weights are no parameters of one layer")
    return Owner(None, None, {"tie": ties})
