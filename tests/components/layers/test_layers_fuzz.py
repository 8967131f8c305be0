"""Any layer with any fields on any input: netbuild accepts it if and only if torch runs it.

Torch's side is on the CPU: the meta device leaves some checks out. Fields have the declared types,
for a file is stricter than Python about those, and any value: kernels larger than the input, groups
that do not divide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from netbuild.builder.module import module as build
from tests.components.layers import FAMILIES, READERS
from tests.components.layers.contract import Outcome, by_torch, graph_of_case, outcome, tensors
from tests.examples import examples
from tests.tables import hold, over
from tests.torch_release import IS_NEW, runs

if TYPE_CHECKING:
    from tests.components.layers.contract import Case, Strictness

#: The families, each once.
TABLES = list({id(family): family for family in FAMILIES.values()}.values())
EDGES = [case for family in TABLES for case in family.edges]
STRICTNESS = [strict for family in TABLES for strict in family.strictness]


def check(case: Case) -> None:
    """Assert that netbuild and torch agree about a layer: whether it runs, and what it gives."""
    if not runs(case.kind, case.fields):
        return
    family = FAMILIES[case.kind]
    graph = graph_of_case(case)
    # Backward is tried where netbuild promises it: elsewhere torch may even bring the process down.
    theirs = by_torch(family, case, backward=graph.output is not None)
    if graph.output is None:
        assert graph.diagnostics
        if isinstance(theirs, Outcome):
            excused = not IS_NEW or any(one.applies(case) for one in family.strictness)
            assert excused, f"refused, and torch runs it: {graph.diagnostics[0].label}"
        return
    assert isinstance(theirs, Outcome), f"accepted, and torch refuses it: {theirs}"
    row = graph.rows[-1]
    said = tuple(((len(tensors(family, case)[0]), *y.shape), y.dtype) for y in row.outputs.values())
    state = {**row.weights, **{name: buffer.shape for name, buffer in row.buffers.items()}}
    assert Outcome(said, state) == theirs
    built = outcome(
        build(graph), lambda module, *x: (module(*x),), tensors(family, case), backward=True
    )
    # Alone in its stack, the layer is called 0; a network gives its first result.
    state = {f"0.{name}": shape for name, shape in theirs.state.items()}
    assert built == Outcome(theirs.results[:1], state)


def test_every_layer_is_fuzzed() -> None:
    """No declared layer is left out."""
    assert set(FAMILIES) == set(READERS)


@pytest.mark.parametrize("kind", FAMILIES)
def test_netbuild_and_torch_agree(kind: str) -> None:
    """Netbuild accepts a layer if and only if torch runs it, and then says what torch gives."""

    @examples(40, least=12)
    @given(FAMILIES[kind].cases[kind])
    def agree(case: Case) -> None:
        check(case)

    agree()


@pytest.mark.parametrize("kind", sorted({case.kind for case in EDGES}))
def test_netbuild_and_torch_agree_at_the_edges(kind: str) -> None:
    """The same for chosen cases."""
    hold(check, [case for case in EDGES if case.kind == kind], lambda case: str(tuple(case)))


@over(STRICTNESS, lambda strict: f"{strict.example.kind}: {strict.reason}")
def test_strictness_has_its_case(strict: Strictness) -> None:
    """Each reason to be stricter than torch applies to a case that torch does run."""
    assert strict.applies(strict.example)
    family = FAMILIES[strict.example.kind]
    theirs = by_torch(family, strict.example, backward=False)
    assert isinstance(theirs, Outcome) or not IS_NEW
    assert graph_of_case(strict.example).output is None
