"""The section `optimizer:`: the optimizer, and groups of weights with their own options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.optimizers import OPTIMIZERS
from netbuild.config.filling import check_modifiers, fill, find
from netbuild.config.parameter_groups import read_groups

if TYPE_CHECKING:
    from netbuild.components.optimizers.optimizer import Optimizer
    from netbuild.config.parameter_groups import Group
    from netbuild.config.sections import Sections
    from netbuild.diagnostics.diagnostic import Found


def read_optimizer(sections: Sections) -> Found[tuple[Optimizer | None, tuple[Group, ...]]]:
    """Read the section; the optimizer is None after a fault."""
    item, faults = sections.item("optimizer", "optimizer", OPTIMIZERS)
    if item is None:
        return (None, ()), faults
    component, unknown = find(item, OPTIMIZERS, "optimizer")
    if component is None:
        return (None, ()), (*faults, *unknown)
    faults += check_modifiers(item, component, "optimizer", allowed=["groups"])
    optimizer, wrong = fill(component, item, sections.names)
    groups, misread = read_groups(item, optimizer) if optimizer else ((), ())
    return (optimizer, groups), (*faults, *wrong, *misread)
