"""A lint of windows: neighbours share rows, so samples of a split by chance have been seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic, Edit, Fix
from netbuild.syntax.item import place
from netbuild.syntax.node import Map

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.checks.lint.flow import Flow
    from netbuild.config.config import Config


def seen_windows(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of windows that are held out by chance or by class.

    Their neighbours train, and share all rows but one with them. Groups that are whole series share
    no row.
    """
    config = flow.graph.config
    source = config.data
    if source is None or not source.overlaps:
        return
    for name, part in config.preparation.parts.items():
        if part.group is not None and part.group == getattr(source, "series", None):
            continue
        if part.group is None and part.by in {None, "order"}:
            continue
        by = f"group: {part.group}" if part.group else f"by: {part.by}"
        yield Diagnostic(
            "NB338",
            f"windows that are held out by {'group' if part.group else part.by}",
            place(config.items["data"], name),
            f"neighbours share rows, so with {by} most rows of the {name} have trained the network",
            help="write by: order, which holds out the last windows and leaves out what overlaps",
            fixes=_by_order(config, name),
        )


def _by_order(config: Config, name: str) -> tuple[Fix, ...]:
    """Return the fix that writes `by: order` in place of another `by`."""
    entry = config.items["data"].modifiers.get(name)
    if entry is None or not isinstance(entry.value, Map) or "by" not in entry.value.entries:
        return ()
    span = entry.value.entries["by"].value.span
    return (Fix("write by: order", (Edit(span, "order"),)),)
