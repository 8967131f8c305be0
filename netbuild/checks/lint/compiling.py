"""Lint of a network that torch compiles although this makes its training slower."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.checks.lint.flow import Flow


def compiled_on_a_cpu(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of `compile: true` beside `device: cpu`.

    torch's kernels for a CPU are already as fast as the compiler's, and a compiled network checks
    its arguments in each step. The rule's page has the figures.
    """
    config = flow.graph.config
    if config.train.compile and config.train.device == "cpu":
        yield Diagnostic(
            "NB334",
            "a compiled network on a CPU",
            config.place("train", "compile"),
            "on a CPU, most networks train slower when they are compiled",
            help="remove compile; torch.compile is for a GPU",
        )
