"""With what each loss compares: a target of the data, an output, an input, or one number.

    loss: [{MSELoss, inputs: picture, target: input}, {BCEWithLogitsLoss, inputs: fake, target: 1}]

A name is looked up among the targets of the data, then among the outputs of the network, then among
its inputs. Without `target`, a loss compares with the only target of the data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from netbuild.components.datasets.dataset import ONE_TARGET

if TYPE_CHECKING:
    from collections.abc import Collection

    from netbuild.config.config import Config
    from netbuild.config.losses import LossTerm


class Against(NamedTuple):
    """What a loss compares with: its kind, and its name or its number.

    The kind is `nothing` for a loss that compares outputs with one another.
    """

    kind: Literal["target", "output", "input", "number", "nothing"]
    name: str = ""
    number: float = 0.0


def against(config: Config, outputs: Collection[str], term: LossTerm) -> Against | None:
    """Return what a loss compares with; None if there is no such thing, or if it is not said.

    `outputs` are the names of the network's outputs. A config without data has the one target that
    most data has.
    """
    name = term.target
    if not term.loss.compares:
        return Against("nothing") if name is None else None
    if isinstance(name, (int, float)):
        return Against("number", number=float(name))
    targets = targets_of(config)
    if name is None:
        return Against("target", targets[0]) if len(targets) == 1 else None
    if name in targets:
        return Against("target", name)
    if name in outputs:
        return Against("output", name)
    if name in config.inputs:
        return Against("input", name)
    # Without data, any other name may be one of its targets.
    return Against("target", name) if config.data is None else None


def targets_of(config: Config) -> tuple[str, ...]:
    """Return the names of the targets of the data."""
    return config.data.targets if config.data is not None else ONE_TARGET
