"""With what each loss compares: a target of the data, an output, an input, or one number.

    loss: [{MSELoss, inputs: picture, target: input}, {BCEWithLogitsLoss, inputs: fake, target: 1}]

A name is looked up among the targets of the data, then among the outputs of the network, then among
its inputs. Without `target`, a loss compares with the only target of the data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from netbuild.components.datasets.dataset import ONE_TARGET

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from netbuild.config.losses import LossTerm


class Against(NamedTuple):
    """What a loss compares with: its kind, and its name or its number.

    The kind is `nothing` for a loss that compares outputs with one another.
    """

    kind: Literal["target", "output", "input", "number", "nothing"]
    name: str = ""
    number: float = 0.0


def against(
    term: LossTerm,
    targets: Sequence[str] | None,
    outputs: Collection[str],
    inputs: Collection[str],
) -> Against | None:
    """Return what a loss compares with; None if there is no such thing, or if it is not said.

    Args:
        term: the loss.
        targets: the targets of the data; None without data. Other names may then be targets.
        outputs: the outputs of the network.
        inputs: its inputs.
    """
    name, known = term.target, targets or ONE_TARGET
    if not term.loss.compares:
        return Against("nothing") if name is None else None
    if isinstance(name, (int, float)):
        return Against("number", number=float(name))
    if name is None:
        return Against("target", known[0]) if len(known) == 1 else None
    if name in known:
        return Against("target", name)
    if name in outputs:
        return Against("output", name)
    if name in inputs:
        return Against("input", name)
    return Against("target", name) if targets is None else None
