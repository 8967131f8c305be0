"""`netbuild explain`: every number with its formula, and the origin of its values."""

from __future__ import annotations

import cProfile
import json
import math
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from netbuild.checks.trace import infer
from netbuild.components.tensor import product
from netbuild.config.load import read
from netbuild.graph.paths import paths
from netbuild.reports.explanation import LayerExplanation, explain
from netbuild.reports.explanation import formats as render
from netbuild.syntax.parser import from_bytes, from_file
from tests import ROOT
from tests.components.layers import FAMILIES
from tests.components.layers.contract import graph_of_case
from tests.tables import over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netbuild.graph.graph import Graph
    from netbuild.reports.explanation import Explanation
    from tests.components.layers.contract import Row
    from tests.conftest import Netbuild

EXPECTED = Path(__file__).parent / "explanations"
LENET = "configs/lenet.yaml"
MIXED = "tests/reports/explanations/mixed.yaml"
ROWS = [row for kind, family in FAMILIES.items() for row in family.rows if row.type == kind]
CONFIGS = [MIXED, *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("configs/*.yaml"))]


def graph_of(path: str) -> Graph:
    """Return the graph of a config."""
    return infer(read(from_file(ROOT / path)))


def value(numbers: str) -> float:
    """Evaluate a formula with its numbers put in: by Python, once its signs are Python's."""
    text = re.sub(r"(?<=\d),(?=\d{3})", "", numbers).replace(" B", "")
    for sign, python in (("⌊", "floor("), ("⌋", ")"), ("⌈", "ceil("), ("⌉", ")")):
        text = text.replace(sign, python)
    text = re.sub(r"√(\d+)", r"√(\1)", text).replace("√", "sqrt").replace("^", "**")
    text = text.replace("·", "*").replace("−", "-")
    functions = (math.floor, math.ceil, math.sqrt, min, max)
    names = {"__builtins__": {}, **{function.__name__: function for function in functions}}
    return float(eval(text, names))  # noqa: S307  the texts are netbuild's own


@over(ROWS, lambda row: row.id)
def test_formulas_agree_with_the_rules(row: Row) -> None:
    """The numbers put into each formula give the sizes, parameters and MACs of the layer."""
    traced = graph_of_case(row.case).rows[-1]
    found = traced.layer.formulas(*traced.shapes)
    for port, y in traced.outputs.items():
        sizes = found.results.get(port, found.sizes)
        if sizes is None:
            assert y.shape == traced.x
        else:
            assert tuple(value(size.filled) for size in sizes.values()) == y.shape
    params = {name: value(weight.filled) for name, weight in found.weights.items()}
    assert sum(params.values()) == traced.params == sum(map(product, row.weights.values()))
    for name, shape in traced.weights.items():
        assert params.get(name, product(shape)) == product(shape)
    assert sum(value(macs.filled) for macs in found.macs.values()) == traced.macs == row.macs
    if found.workspace is not None:
        assert value(found.workspace.filled) == traced.layer.workspace(*traced.shapes)


def equations(document: Any) -> Iterator[tuple[str, float]]:
    """Yield the numbers and the result of every step in a JSON document."""
    if isinstance(document, dict):
        if document.get("numbers") and document["result"] is not None:
            yield document["numbers"], document["result"]
        for inner in document.values():
            yield from equations(inner)
    elif isinstance(document, list):
        for inner in document:
            yield from equations(inner)


@pytest.mark.parametrize("path", CONFIGS)
def test_what_is_printed_adds_up(path: str) -> None:
    """Every step is right, steps add up to their totals, and these are those of the graph."""
    graph = graph_of(path)
    explanation = explain(graph)
    document = json.loads(render.as_json(explanation))
    for numbers, result in equations(document):
        assert math.isclose(value(numbers), result, rel_tol=1e-12), numbers
    for part in (*document["layers"], *document["stacks"], document["totals"]):
        for name in ("params", "macs", "weights_bytes", "activations_bytes"):
            count = part[name]
            if count["steps"]:
                assert sum(step["result"] for step in count["steps"]) == count["total"]
    totals = {name: count["total"] for name, count in document["totals"].items()}
    for name, total in totals.items():
        assert (
            total == getattr(graph, name) == sum(one[name]["total"] for one in document["layers"])
        )
    for part in explanation.parts:
        if isinstance(part, LayerExplanation):
            assert part.field.size == part.row.receptive_field
            assert part.params.total == part.row.params
            sizes = {step.name: step.result for step in part.field.steps if step.result}
            assert (
                not sizes or tuple(sizes.values())[: len(part.field.size or ())] == part.field.size
            )


@pytest.mark.parametrize("path", CONFIGS)
@pytest.mark.parametrize("width", [80, 120])
def test_fits_the_width(path: str, width: int) -> None:
    """No line is wider than the terminal, nor than 100 columns."""
    lines = render.text(explain(graph_of(path)), width).plain.splitlines()
    assert max(map(len, lines)) <= min(width, 100)


@pytest.mark.parametrize("name", ["lenet", "mixed"])
def test_text(name: str, expect: Callable[[Path, str], None]) -> None:
    """The text of chains, blocks, a Reuse, a join, norms, recurrence and attention is right."""
    graph = graph_of(LENET if name == "lenet" else MIXED)
    expect(EXPECTED / f"{name}.txt", render.text(explain(graph), 80).plain)


def test_markdown(expect: Callable[[Path, str], None]) -> None:
    """Formulas and values are two tables, for a page about the network."""
    graph = graph_of(LENET)
    expect(EXPECTED / "lenet.md", render.markdown(explain(graph, "features.3")))


def test_json(netbuild: Netbuild) -> None:
    """A layer has its steps as numbers, and says of each value where it is written."""
    done = netbuild("explain", MIXED, "block.conv", "--format", "json", "--set", "vars.width=4")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    (layer,) = document["layers"]
    assert document["name"] == "mixed"
    assert "totals" not in document
    assert (layer["path"], layer["type"], layer["line"]) == ("block.conv", "Conv2d", 9)
    assert layer["inputs"] == [
        {"name": "input", "shape": [8, 3, 1], "from": "stem (Conv2d, line 15)"}
    ]
    assert layer["params"]["steps"][0] == {
        "name": "weight",
        "formula": "out_channels·(in_channels / groups)·∏ kernel_size",
        "numbers": "8·(8 / 1)·3·3",
        "result": 576,
        "shape": [8, 8, 3, 3],
        "note": "",
    }
    origins = {origin["name"]: origin for origin in layer["values"]}
    kernel = {"name": "kernel", "value": 3, "kind": "written", "expression": "$(1 + 2)"}
    assert origins["kernel_size"] == {
        "name": "kernel_size",
        "value": 3,
        "kind": "written",
        "from": "line 9",
        "expression": "$kernel",
        "names": [{**kernel, "from": "Residual's default, line 7", "names": []}],
    }
    assert origins["stride"]["from"] == "torch's default"
    assert origins["in_channels"]["kind"] == "input"


def test_json_of_items_and_of_unknown_values(tmp_path: Path, netbuild: Netbuild) -> None:
    """An item in a table is its text in the file; a value with a fault is a question mark."""
    file = tmp_path / "net.yaml"
    file.write_text(
        "input: [3]\nvars: {rows: [[4, {ReLU: {inplace: true}}], [5, $inner]]}\n"
        'layers: [{Linear: "$(rows[0][0])"}]\n'
    )
    done = netbuild("explain", str(file), "--format", "json")
    assert done.returncode == 1
    assert "no variable is called inner" in done.stderr
    (layer,) = json.loads(done.stdout)["layers"]
    (origin,) = [value for value in layer["values"] if value["name"] == "out_features"]
    assert origin["names"][0]["value"] == "[[4, {ReLU: {inplace: true}}], [5, $inner]]"


def test_setting(netbuild: Netbuild) -> None:
    """The origin of a value of --set is --set."""
    done = netbuild("explain", MIXED, "stem", "--set", "vars.width=4")
    assert "      width       4       --set vars.width=4\n" in done.stdout


def test_stack_that_is_called_again() -> None:
    """Its values come from where it is written, and its parameters count there."""
    text = """\
vars: {width: 4}
inputs: {a: [8], b: [8]}
layers:
  encoder: {inputs: a, layers: [{Linear: $width}, ReLU]}
  again: {Reuse: encoder, inputs: b}
  both: {Add, inputs: [encoder, again]}
"""
    shown = render.text(explain(infer(read(from_bytes("net.yaml", text.encode()))), "again"))
    assert "again.0  Linear, reused in line 5 " in shown.plain
    assert "none: it reuses the weights of encoder.0, which counts them" in shown.plain
    assert "out_features  4  $width, line 4\n      width       4  line 1\n" in shown.plain
    relu = shown.plain.partition("\nagain.1  ReLU, reused in line 5 ")[2]
    assert "\n  params    none\n" in relu
    assert "none: the input has no spatial axes" in (" ".join(relu.split()))


def test_extended_file(tmp_path: Path, netbuild: Netbuild) -> None:
    """A value of the file that this one extends names that file."""
    (tmp_path / "base.yaml").write_text("input: [4]\nvars: {width: 3}\n", encoding="utf-8")
    text = "extends: base.yaml\nlayers:\n  - Linear: $width\n"
    (tmp_path / "net.yaml").write_text(text, encoding="utf-8")
    done = netbuild("explain", "net.yaml", cwd=tmp_path)
    assert "    out_features  3  $width, line 3\n      width       3  line 2 of base.yaml\n" in (
        done.stdout
    )


def test_stack(netbuild: Netbuild) -> None:
    """The path of a stack shows what it adds up to, then its layers, and no total."""
    done = netbuild("explain", LENET, "features")
    titles = [line.split("  ")[0] for line in done.stdout.splitlines() if "──" in line]
    assert titles == ["features", *(f"features.{number}" for number in range(6))]
    assert "features.0 + features.3 = 156 + 2,416 = 2,572\n" in done.stdout


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("featurs.3", "did you mean features.3?"),
        ("classifier.conv", "there are classifier.0 to classifier.5"),
        ("nothing", "there are features, classifier"),
        ("features.99", "there are features.0 to features.5"),
        ("features.2.conv", "features.2 is a layer and contains no other layers"),
    ],
)
def test_unknown_layer(layer: str, said: str, netbuild: Netbuild) -> None:
    """A path that leads nowhere is named with the one that was meant, or those there are."""
    done = netbuild("explain", LENET, layer)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"netbuild: {LENET} has no layer {layer}: {said}\n"


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("stage1.0.convx", "did you mean stage1.0.conv1 or stage1.0.conv2?"),
        ("stage1.0.skip", "there are stage1.0.conv1, stage1.0.conv2, stage1.0.act"),
        ("stage9.0", "did you mean stage1.0 or stage2.0?"),
        ("stage2.1", "there is stage2.0"),
        ("stage1.7.conv1", "there are stage1.0 to stage1.1"),
        ("stage1.0.", "there are stage1.0.conv1, stage1.0.conv2, stage1.0.act"),
    ],
)
def test_unknown_layer_of_a_stack(layer: str, said: str, netbuild: Netbuild) -> None:
    """What is named is at the level at which the path goes wrong, and not in another stack."""
    text = """\
input: [8]
blocks:
  Deep: {layers: {conv1: {Linear: 8}, conv2: {Linear: 8}, act: ReLU}}
layers:
  stage1: {layers: [Deep, Deep]}
  stage2: {layers: [{layers: {conv1: {Linear: 8}, skip: ReLU}}]}
"""
    done = netbuild("explain", "-", layer, text=text)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"netbuild: <stdin> has no layer {layer}: {said}\n"


def test_faulty_file(netbuild: Netbuild) -> None:
    """The layers before a fault are explained, then the fault is printed."""
    text = (ROOT / LENET).read_text(encoding="utf-8").replace("kernel_size: 5}", "kernel_size: 17}")
    done = netbuild("explain", "-", "features", text=text)
    assert done.returncode == 1
    known, _, fault = done.stdout.partition("\nerror[NB204]")
    assert [name in known for name in ("features.2  MaxPool2d", "features.3")] == [True, False]
    assert "kernel_size 17 is larger than the padded input 14" in fault
    behind = netbuild("explain", "-", "features.3", text=text)
    assert (behind.returncode, behind.stdout.startswith("error[NB204]")) == (1, True)
    as_json = netbuild("explain", "-", "--format", "json", text=text)
    assert as_json.returncode == 1
    assert "totals" not in json.loads(as_json.stdout)
    assert as_json.stderr.startswith("error[NB204]")


def test_reads_standard_input_without_layers(netbuild: Netbuild) -> None:
    """A file of which nothing is known has its faults printed, and nothing else."""
    done = netbuild("explain", "-", text="layers: 3\n")
    assert done.returncode == 1
    assert done.stdout.startswith("error[")


def test_large_numbers() -> None:
    """Numbers beyond 64 bits, which no expression of a file may have, are explained as well."""
    text = "input: [2147483647, 64]\nlayers: [TransformerEncoderLayer: 8]\n"
    graph = infer(read(from_bytes("large.yaml", text.encode())))
    assert graph.macs > 1 << 63
    explanation = explain(graph)
    assert f"{graph.macs:,}" in render.text(explanation).plain
    assert render.markdown(explanation)


def calls(layers: int, printed: Callable[[Explanation], object]) -> int:
    """Return how many functions are called to explain and print a network of so many layers."""
    text = f"input: [8]\nlayers: [{{layers: [Linear: 8, ReLU], repeat: {layers // 2}}}]\n"
    graph = infer(read(from_bytes("deep.yaml", text.encode())))
    profile = cProfile.Profile()
    profile.runcall(lambda: printed(explain(graph)))
    return sum(entry.callcount for entry in profile.getstats())


def on_a_console(explanation: Explanation) -> None:
    """Print an explanation as the command does."""
    Console(file=StringIO(), width=100, soft_wrap=True).print(render.text(explanation))


@pytest.mark.parametrize(
    ("printed", "most"), [(on_a_console, 1200), (render.as_json, 1800), (render.markdown, 800)]
)
def test_deep_networks(printed: Callable[[Explanation], object], most: int) -> None:
    """The work grows with the number of layers, and is little for one more."""
    calls(100, printed)  # what the process keeps from then on
    few, many = calls(200, printed), calls(400, printed)
    assert (many - few) / 200 < most


def test_styles_do_not_change_the_text() -> None:
    """A terminal gets the same characters as a pipe, in colours, and no control codes."""
    made = render.text(explain(graph_of(LENET)))
    shown = Console(file=StringIO(), width=100, soft_wrap=True, color_system=None)
    coloured = Console(
        file=StringIO(), width=100, soft_wrap=True, force_terminal=True, color_system="standard"
    )
    for console in (shown, coloured):
        console.print(made)
    with_styles = coloured.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[1;32m" in with_styles
    assert re.sub(r"\x1b\[[\d;]*m", "", with_styles) == shown.file.getvalue()  # type: ignore[attr-defined]
    assert shown.file.getvalue() == f"{made.plain}\n"  # type: ignore[attr-defined]


def test_paths() -> None:
    """Stacks and layers can be explained."""
    assert paths(graph_of(LENET))[:3] == ["features", "classifier", "features.0"]


@pytest.mark.parametrize("formula", ["z * exp(-~x * z)", "z * exp(z * ((x // 2) & 1))"])
def test_a_formula_of_whole_numbers(formula: str, tmp_path: Path, netbuild: Netbuild) -> None:
    """What the backward pass keeps of a formula with signs for whole numbers is explained."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "inputs: {x: {shape: [4], dtype: int64}, y: [4]}\n"
        "layers:\n"
        "  l: {Linear: 4, inputs: y}\n"
        f'  a: {{Formula: "{formula}", inputs: {{x: x, z: l}}}}\n'
    )
    done = netbuild("explain", str(path))
    assert done.returncode == 0
    assert "workspace  48 B: Results of its functions" in done.stdout


def test_torch_is_not_imported() -> None:
    """The command does not load torch."""
    code = (
        "import sys; from netbuild.cli import app; sys.argv = ['netbuild', 'explain', "
        f"'{MIXED}']\ntry:\n    app()\nexcept SystemExit:\n    pass\n"
        "print('LOADED', *({'torch', 'numpy', 'sklearn', 'safetensors'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.splitlines()[-1].strip() == "LOADED"
