"""Lints: networks with a warning, networks without one, and every layer alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netbuild.checks import lint
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax.dump import dump
from netbuild.syntax.parser import from_bytes
from tests.checks.lint import axis_cases
from tests.checks.lint import cases as other_cases
from tests.checks.lint.cases import VECTOR, found, traced
from tests.components.layers import FAMILIES
from tests.components.layers.contract import text_of_case
from tests.examples import examples

BAD = other_cases.BAD | axis_cases.BAD
GOOD = other_cases.GOOD | axis_cases.GOOD


def cases(table: dict[str, list[str]]) -> list[Any]:
    """Return the rows of a table."""
    return [pytest.param(c, text, id=f"{c}-{n}") for c in table for n, text in enumerate(table[c])]


@pytest.mark.parametrize(("code", "text"), cases(BAD))
def test_warns(code: str, text: str) -> None:
    """A bad network gets its warning, and each warning has a help or a note."""
    said = found(text)
    assert code in {diagnostic.code for diagnostic in said}, text
    assert all(d.severity == "warning" for d in said), [d.message for d in said]
    assert all(d.help or d.notes for d in said)


@pytest.mark.parametrize(("code", "text"), cases(GOOD))
def test_is_silent(code: str, text: str) -> None:
    """A good network, or a known practice, gets neither the warning nor an error."""
    said = found(text)
    assert code not in {diagnostic.code for diagnostic in said}, text
    assert all(d.severity == "warning" for d in said), [d.message for d in said]


def test_every_lint_has_both() -> None:
    """Each code has networks with the warning and networks without it."""
    assert set(BAD) == set(GOOD)


@pytest.mark.parametrize(("code", "text"), cases(BAD))
def test_fixes(code: str, text: str) -> None:
    """A fix removes the warning, and adds no error."""
    before = [d for d in found(text) if d.code == code and d.fixes]
    for diagnostic in before:
        for fix in diagnostic.fixes:
            lines = text.split("\n")
            for span, new in fix.edits:
                line = lines[span.line - 1]
                assert span.line == span.end_line
                lines[span.line - 1] = line[: span.column - 1] + new + line[span.end_column - 1 :]
            after = found("\n".join(lines))
            assert not [d for d in after if d.severity == "error"], "\n".join(lines)
            assert sum(d.code == code for d in after) < sum(d.code == code for d in found(text))


def test_fix_of_a_block_mapping() -> None:
    """A new field goes before the others, on its own line if the others have their own lines."""
    text = (
        "input: [3, 8, 8]\nlayers:\n  - Conv2d:\n      out_channels: 4\n      kernel_size: 3\n"
        "  - BatchNorm2d\n"
    )
    (diagnostic,) = found(text)
    ((span, new),) = diagnostic.fixes[0].edits
    assert (span.line, span.column, span.end_column) == (4, 7, 7)
    assert new == "bias: false\n      "


_ROWS = [
    row
    for family in FAMILIES.values()
    for row in family.rows
    if not row.others and row.dtype == "float32"
]

_BY_INPUT: dict[Any, list[Any]] = {}


for _row in _ROWS:
    _BY_INPUT.setdefault(_row.input, []).append(_row)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda f: f.rows[0].type)
def test_every_layer_alone(family: Any) -> None:
    """No lint raises an exception. A single layer gets only warnings about itself."""
    for row in family.rows:
        graph = traced(text_of_case(row.case))
        codes = {d.code for d in lint.warnings(graph)} if graph.block else set()
        assert codes <= {"NB302", "NB309", "NB311", "NB312", "NB314", "NB320"}, row.id


@examples(150)
@given(data=st.data())
def test_chains(data: st.DataObject) -> None:
    """No lint raises an exception on a chain of layers, with any loss and scheduler."""
    row = data.draw(st.sampled_from(_ROWS))
    chain, shape = [row.config], row.output
    for _ in range(data.draw(st.integers(1, 4))):
        following = [*_BY_INPUT.get(shape, []), row] if row.input == shape else _BY_INPUT.get(shape)
        if not following:
            break
        row = data.draw(st.sampled_from(following))
        chain.append(row.config)
        shape = row.output
    sections = {
        "input": {"shape": list(data.draw(st.just(_first(chain)))), "object_size": 9},
        "layers": chain,
        "loss": data.draw(st.sampled_from(["MSELoss", "BCELoss", "NLLLoss", "CrossEntropyLoss"])),
        "data": {"Random": {"samples": data.draw(st.integers(2, 40))}},
        "train": {"batch_size": data.draw(st.integers(1, 8))},
    }
    graph = traced(dump(sections))
    if graph.block is not None:
        list(lint.warnings(graph))


def _first(chain: list[Any]) -> Any:
    """Return the input of a chain's first layer."""
    return next(row.input for row in _ROWS if row.config is chain[0])


def test_a_fault_of_a_section_hides_no_warning() -> None:
    """A fault in a section does not hide a warning about the network."""
    text = f"{VECTOR}layers: [Linear: 8, Linear: 4]\noptimizer: {{Adam: {{learning_rate: 1}}}}\n"
    graph = infer(read(from_bytes("net.yaml", text.encode())))
    assert [fault.code for fault in graph.diagnostics] == ["NB301", "NB104"]
