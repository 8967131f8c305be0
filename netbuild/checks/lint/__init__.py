"""Lints: warnings (NB3xx) about networks that torch runs, but that learn badly.

A lint is a function. It takes the `Flow` of a graph without faults and yields warnings. A new lint
needs three entries: the function in the file of its group, its code in `CODES`, and its name here.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from netbuild.checks.lint.axes import misplaced_places
from netbuild.checks.lint.compiling import compiled_on_a_cpu
from netbuild.checks.lint.dropouts import harmful_dropouts, unfit_dropouts
from netbuild.checks.lint.flow import Flow
from netbuild.checks.lint.formulas import named_formulas
from netbuild.checks.lint.known_masks import hiding_masks
from netbuild.checks.lint.losses import (
    compared_with_itself,
    scores_for_probabilities,
    squashed_twice,
    too_many_outputs,
)
from netbuild.checks.lint.masks import padded_places, two_meanings
from netbuild.checks.lint.metrics import other_accuracies
from netbuild.checks.lint.normalisation import lost_biases, single_samples
from netbuild.checks.lint.overlaps import seen_windows
from netbuild.checks.lint.receptive_field import (
    checkerboards,
    skipping_strides,
    small_fields,
    unseen_borders,
)
from netbuild.checks.lint.schedules import idle_schedulers
from netbuild.checks.lint.scores import (
    narrow_scores,
    negative_values,
    softmax_elsewhere,
    weighed_columns,
)
from netbuild.checks.lint.sequence import collapsing_layers, saturating_stacks
from netbuild.checks.lint.single_values import single_values
from netbuild.checks.lint.spatial_axes import channels_last, forgotten_flattens
from netbuild.checks.lint.unread import unread_inputs, unread_results
from netbuild.checks.lint.untrained import unreached_weights, untrained_weights
from netbuild.checks.lint.variables import unread_variables
from netbuild.diagnostics.diagnostic import MAX_FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.graph.graph import Graph

LINTS: tuple[Callable[[Flow], Iterator[Diagnostic]], ...] = (
    collapsing_layers,
    unread_results,
    unread_inputs,
    squashed_twice,
    softmax_elsewhere,
    narrow_scores,
    scores_for_probabilities,
    negative_values,
    weighed_columns,
    too_many_outputs,
    compared_with_itself,
    misplaced_places,
    lost_biases,
    harmful_dropouts,
    unfit_dropouts,
    single_samples,
    unseen_borders,
    skipping_strides,
    small_fields,
    checkerboards,
    saturating_stacks,
    single_values,
    named_formulas,
    two_meanings,
    hiding_masks,
    padded_places,
    forgotten_flattens,
    channels_last,
    untrained_weights,
    unreached_weights,
    idle_schedulers,
    unread_variables,
    other_accuracies,
    compiled_on_a_cpu,
    seen_windows,
)


#: The most warnings of a lint. Fewer are reported, but comments may silence some of them.
_MOST = 3 * MAX_FAULTS


def warnings(graph: Graph) -> list[Diagnostic]:
    """Return the warnings of all lints about a graph."""
    flow = Flow(graph)
    return [diagnostic for lint in LINTS for diagnostic in islice(lint(flow), _MOST)]
