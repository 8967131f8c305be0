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
from tests.checks.lint import axis_cases, gradient_cases, score_cases, window_cases
from tests.checks.lint import cases as other_cases
from tests.checks.lint.cases import VECTOR, found, traced
from tests.components.layers import FAMILIES
from tests.components.layers.contract import text_of_case
from tests.examples import examples
from tests.tables import over

BAD = other_cases.BAD | axis_cases.BAD | score_cases.BAD | gradient_cases.BAD | window_cases.BAD
GOOD = (
    other_cases.GOOD | axis_cases.GOOD | score_cases.GOOD | gradient_cases.GOOD | window_cases.GOOD
)


Case = tuple[str, int, str]


def cases(table: dict[str, list[str]]) -> list[Case]:
    """Return the rows of a table: the code, the number of the text, and the text."""
    return [(code, n, text) for code in table for n, text in enumerate(table[code])]


def called(case: Case) -> str:
    """Return the name of a row."""
    return f"{case[0]}-{case[1]}"


@over(cases(BAD), called)
def test_warns(case: Case) -> None:
    """A bad network gets its warning, and each warning has a help or a note."""
    code, _, text = case
    said = found(text)
    assert code in {diagnostic.code for diagnostic in said}, text
    assert all(d.severity == "warning" for d in said), [d.message for d in said]
    assert all(d.help or d.notes for d in said)


@over(cases(GOOD), called)
def test_is_silent(case: Case) -> None:
    """A good network, or a known practice, gets neither the warning nor an error."""
    code, _, text = case
    said = found(text)
    assert code not in {diagnostic.code for diagnostic in said}, text
    assert all(d.severity == "warning" for d in said), [d.message for d in said]


def test_every_lint_has_both() -> None:
    """Each code has networks with the warning and networks without it."""
    assert set(BAD) == set(GOOD)


@over(cases(BAD), called)
def test_fixes(case: Case) -> None:
    """A fix removes the warning, and adds no error."""
    code, _, text = case
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


@over(FAMILIES.values(), lambda family: family.rows[0].type)
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


def helps(text: str, code: str) -> list[str | None]:
    """Return the helps of all diagnostics with a code."""
    return [d.help for d in found(text) if d.code == code]


_ON_DIGITS = "loss: CrossEntropyLoss\ndata: {Digits, resize: [32, 32]}\n"


@pytest.mark.parametrize(
    ("items", "help_"),
    [
        (
            "ReLU, AdaptiveAvgPool2d: 1, Linear: 10",
            "put Flatten before 3 (Linear, line 2): its input is 8×1×1",
        ),
        ("ReLU, Linear: 10", "put Flatten before 2 (Linear, line 2): its input is 8×32×32"),
        (
            "ReLU, Conv2d: {out_channels: 10, kernel_size: 1}, AdaptiveAvgPool2d: 1",
            "put Flatten after the last layer: it removes the axes of one value",
        ),
        ("ReLU, Conv2d: {out_channels: 10, kernel_size: 1}", None),
        ("ReLU, Flatten: 2, Linear: 10", None),  # the axis of positions, moved by Flatten
    ],
)
def test_loss_speaks_of_flatten(items: str, help_: str | None) -> None:
    """A loss that does not fit says where a Flatten is missing, only if everything fits with it."""
    text = f"input: [1, 32, 32]\nlayers: [{other_cases.CONV}, {items}]\n{_ON_DIGITS}"
    assert helps(text, "NB401") == [help_]


def test_forgotten_flatten_has_a_fix_only_where_all_fits() -> None:
    """Flatten is no fix if a field contradicts it, if the block is used twice, or by `when`."""
    fixed = {text: any(d.fixes for d in found(text)) for text in axis_cases.BAD["NB321"]}
    assert [text for text, has in fixed.items() if not has] == axis_cases.BAD["NB321"][-2:]


def test_channels_last_of_the_data(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data of 32×32×3 needs a Permute; without data of its own, the input is written otherwise."""
    import numpy as np

    monkeypatch.chdir(tmp_path)
    np.savez("hwc.npz", x=np.zeros((4, 32, 32, 3), "float32"), y=np.arange(4) % 3)
    layers = f"[{other_cases.CONV}, AdaptiveAvgPool2d: 1, Flatten, Linear: 3]"
    text = f"input: [32, 32, 3]\nlayers: {layers}\nloss: CrossEntropyLoss\n"
    first = ["write the channels first, as torch does: [3, 32, 32]"]
    assert helps(text, "NB326") == first
    assert helps(text + "data: Random\n", "NB326") == first
    permute = ["write Permute: [0, 3, 1, 2] as the first layer"]
    text += "data: {Arrays: {file: hwc.npz}}\n"
    assert helps(text, "NB326") == permute
    (fix,) = (fix for d in found(text) for fix in d.fixes)
    assert fix.edits[0].text == "Permute: [0, 3, 1, 2], "
    assert not found(text.replace("layers: [", "layers: [Permute: [0, 3, 1, 2], "))


def test_data_of_one_class_asks_for_another_target() -> None:
    """A network with a single score learns nothing, so it is no fix."""
    text = "input: [4]\nlayers: [Linear: 3]\nloss: CrossEntropyLoss\ndata: {Random: {classes: 1}}\n"
    (warning,) = infer(read(from_bytes("net.yaml", text.encode()))).diagnostics
    assert (warning.code, warning.label) == ("NB306", "3 scores, but the data has 1 class")
    assert (warning.help, warning.fixes) == ("look at the target: no class differs", ())
