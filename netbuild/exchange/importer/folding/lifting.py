"""Nodes that stand below the path of a layer: a config has them beside the layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from netbuild.exchange.importer.network import Network
    from netbuild.graph.value import Value


def lifted(network: Network, module: nn.Module) -> Network:
    """Return a network in which no node stands below another one.

    `BatchNormAct2d` of timm is a norm with an activation inside. In a config, `bn1` is the norm,
    and the activation `bn1.act` becomes `bn1_act`.
    """
    paths = {node.path for node in network.nodes}
    taken = paths | {name for name, _ in module.named_modules(remove_duplicate=False)}
    moved: dict[str, str] = {}
    for path in paths:
        parts = path.split(".")
        above = next((n for n in range(1, len(parts)) if ".".join(parts[:n]) in paths), None)
        if above is not None:
            new = ".".join([*parts[: above - 1], "_".join(parts[above - 1 :])])
            while new in taken:
                new += "_"
            taken.add(new)
            moved[path] = new
    if not moved and not (paths & {*network.stacks}):
        return network

    def value(one: Value) -> Value:
        return one._replace(path=moved.get(one.path, one.path))

    nodes = tuple(
        node._replace(
            path=moved.get(node.path, node.path),
            inputs=tuple((name, value(one)) for name, one in node.inputs),
            reuses=moved.get(node.reuses, node.reuses) if node.reuses else None,
        )
        for node in network.nodes
    )
    below = tuple(f"{path}." for path in paths)
    stacks = {
        path: one
        for path, one in network.stacks.items()
        if path not in paths and not path.startswith(below)
    }
    outputs = {name: value(one) for name, one in network.outputs.items()}
    return network._replace(nodes=nodes, stacks=stacks, outputs=outputs)
