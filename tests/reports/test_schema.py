"""`netbuild schema` describes the language: every file that it refuses has a fault.

The schema accepts some files with faults, because it knows neither shapes nor the names of a file.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from netbuild.checks.trace import infer
from netbuild.components.component import Component, FromInput, bare_field
from netbuild.components.datasets import DATASETS
from netbuild.config.budget import Budget
from netbuild.config.inputs import Input
from netbuild.config.load import read
from netbuild.config.modifiers import LayerModifiers, StackModifiers
from netbuild.config.preparation import Preparation
from netbuild.config.scheduler import Stepping
from netbuild.config.sections import SECTIONS
from netbuild.config.train import Train
from netbuild.diagnostics.diagnostic import errors
from netbuild.reports.catalogue.entries import catalogue, fields
from netbuild.reports.schema import language, written
from netbuild.reports.schema.items import defined as definition
from netbuild.syntax.node import plain
from netbuild.syntax.parser import from_bytes
from tests import ROOT
from tests.components.layers import FAMILIES
from tests.components.layers.contract import Case, Row, text_of_case
from tests.examples import examples
from tests.tables import over

if TYPE_CHECKING:
    from tests.conftest import Netbuild

FILE = ROOT / "docs/netbuild.schema.json"
SCHEMA = language()
VALIDATOR = Draft202012Validator(SCHEMA)
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
FAULTS = sorted((ROOT / "tests/faults").glob("*.yaml"))
LANGUAGE = (ROOT / "docs/language.md").read_text("utf-8")
KINDS = ("layers", "losses", "optimizers", "schedulers", "initializers")
COMPONENTS = {
    definition(name, component): component
    for known in (*map(catalogue, KINDS), DATASETS)
    for name, component in known.items()
}
ROWS = [row for kind, family in FAMILIES.items() for row in family.rows if row.type == kind]


def faults(text: str) -> list[str]:
    """Return where the schema refuses a file: the paths of its values, with dots."""
    root = from_bytes("network.yaml", text.encode()).root
    assert root is not None
    return [".".join(map(str, e.absolute_path)) for e in VALIDATOR.iter_errors(plain(root))]


def network(layers: str, more: str = "") -> str:
    """Return a file with some layers."""
    return f"input: [3, 32, 32]\n{more}\nlayers:\n{layers}\n"


def test_it_is_a_schema() -> None:
    """The schema is one of draft 2020-12, and its references lead somewhere."""
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for reference in set(re.findall(r'"\$ref": ?"#/([^"]*)"', json.dumps(SCHEMA))):
        found: Any = SCHEMA
        for step in reference.split("/"):
            found = found[step]
        assert re.fullmatch(r"[\w/$-]+", reference)  # nothing that would have to be escaped


def test_the_file_is_up_to_date() -> None:
    """The schema in `docs/` is the one that the command prints."""
    renew = "renew it: netbuild schema > docs/netbuild.schema.json"
    assert FILE.read_text("utf-8") == written(SCHEMA), renew


def test_command(netbuild: Netbuild) -> None:
    """The command prints the schema."""
    done = netbuild("schema")
    assert done.returncode == 0
    assert json.loads(done.stdout) == SCHEMA


def test_torch_is_not_imported() -> None:
    """An editor's schema needs no torch."""
    program = "import sys; from netbuild.reports.schema import language; language()"
    program += "; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@over(CONFIGS)
def test_configs(path: Any) -> None:
    """No config of this repository is refused."""
    assert faults(path.read_text("utf-8")) == []


@pytest.mark.parametrize("name", ["graph", "blocks", "init"])
def test_language_page(name: str) -> None:
    """No example of docs/language.md is refused."""
    (text,) = re.findall(rf"^```yaml {name}\n(.*?)^```$", LANGUAGE, re.MULTILINE | re.DOTALL)
    assert faults(text) == []


@over(FAULTS)
def test_what_is_refused_is_wrong(path: Any) -> None:
    """Of the files with faults none is refused in which netbuild finds warnings only."""
    source = from_bytes(str(path), path.read_bytes())
    if source.root is None or not faults(source.document.text):
        return
    assert errors(infer(read(source)).diagnostics)


@over(ROWS, lambda row: row.id)
def test_rows(row: Row) -> None:
    """Every row of the tables of the layers is accepted."""
    assert faults(text_of_case(row.case)) == []


@given(st.sampled_from(sorted(FAMILIES)).flatmap(lambda kind: FAMILIES[kind].cases[kind]))
@examples(300)
def test_cases(case: Case) -> None:
    """A layer that the schema refuses is refused by netbuild too, with any fields."""
    text = text_of_case(case)
    if faults(text):
        assert errors(infer(read(from_bytes("network.yaml", text.encode()))).diagnostics)


@over(COMPONENTS)
def test_every_component(name: str) -> None:
    """Every component is described, takes its fields and no other one, or a bare value."""
    defined, component = SCHEMA["$defs"][name], COMPONENTS[name]
    assert len(defined["description"]) > 10
    assert list(defined["properties"]) == list(component.model_fields)
    assert defined["additionalProperties"] is False
    if bare_field(component) is None:
        assert set(defined["type"]) <= {"object", "null", "string"}


@over(COMPONENTS)
def test_every_field(name: str) -> None:
    """Every field is there with its default, what it wants, and whether it is required."""
    component, defined = COMPONENTS[name], SCHEMA["$defs"][name]
    for page in fields(component):
        info, found = component.model_fields[page.name], defined["properties"][page.name]
        wanted = page.wanted[0].upper() + page.wanted[1:]
        assert found["description"].startswith(f"{page.meaning}\n\n{wanted}. ")
        assert (page.default or "Required") in found["description"]
        assert (page.name in defined.get("required", ())) == info.is_required()
        from_input = any(isinstance(mark, FromInput) for mark in info.metadata)
        if not info.is_required() and not from_input and info.default != float("inf"):
            assert found["default"] == json.loads(json.dumps(info.default))


@pytest.mark.parametrize(
    "component", [Input, Train, Budget, Preparation, Stepping, LayerModifiers, StackModifiers]
)
def test_what_stands_beside(component: type[Component]) -> None:
    """The schema has every field of sections, and every modifier of items and stacks."""
    text = json.dumps(SCHEMA)
    for field in component.model_fields:
        assert f'"{field}": {{' in text


def test_every_section() -> None:
    """Every section is described, in a file of its own and in one that extends another."""
    for branch in ("then", "else"):
        described = SCHEMA["properties"] | SCHEMA[branch]["properties"]
        layers = SCHEMA["else"][branch]["properties"]
        for name in SECTIONS:
            section = {**described, **layers}[name]
            assert section is not True, f"netbuild.reports.schema.sections does not know {name}"
            assert section["description"]


#: What stands below `layers:`, and the values that are refused.
BAD_LAYERS = {
    "- Conv2d: {out_chanels: 6, kernel_size: 5}": ["layers.0.Conv2d", "layers.0.Conv2d"],
    "- Conv2d: {out_channels: 6}": ["layers.0.Conv2d"],
    "- Conv2d: {out_channels: six, kernel_size: 5}": ["layers.0.Conv2d.out_channels"],
    "- Conv2d: {out_channels: 6, kernel_size: [5, 0]}": ["layers.0.Conv2d.kernel_size"],
    "- Conv2d: {out_channels: 6.5, kernel_size: 5}": ["layers.0.Conv2d.out_channels"],
    "- Conv2d: {out_channels: true, kernel_size: 5}": ["layers.0.Conv2d.out_channels"],
    "- {Conv2d: {out_channels: 6, kernel_size: 5, padding: sme}}": ["layers.0.Conv2d.padding"],
    "- Conv2D: {out_channels: 6, kernel_size: 5}": ["layers.0"],
    "- {Conv2d}": ["layers.0.Conv2d"],
    "- Conv2d": ["layers.0"],
    "- relu": ["layers.0"],
    "- Linear: ten": ["layers.0.Linear"],
    "- Linear: 0": ["layers.0.Linear"],
    "- BatchNorm2d: 64": ["layers.0.BatchNorm2d"],
    "- GELU: tan": ["layers.0.GELU"],
    "- Dropout: {p: 1.5}": ["layers.0.Dropout.p"],
    "- Dropout: {inplace: yes}": ["layers.0.Dropout.inplace"],
    "- {ReLU, repat: 3}": ["layers.0"],
    "- {ReLU, repeat: 0}": ["layers.0.repeat"],
    "- {ReLU, when: maybe}": ["layers.0.when"],
    "- {ReLU, kernel_size: 3}": ["layers.0"],
    "- {Linear: 4, init: xavier_norml_}": ["layers.0.init"],
    "- {Linear: 4, init: {weight: {normal_: {sd: 1}}}}": ["layers.0.init.weight.normal_"],
    "- {Add, inputs: {a: [b]}}": ["layers.0.inputs.a"],
    "- {layers: [ReLU], output: a}": ["layers.0"],
    "- [ReLU, [Relu]]": ["layers.0.1.0"],
    "  stem: {conv: {Linear: {out: 3}}}": ["layers.stem.conv.Linear"] * 2,
    "  Linear: 10": ["layers"],
    "  []": ["layers"],
    "- TransformerEncoder: {encoder_layer: ReLU, num_layers: 2}": [
        "layers.0.TransformerEncoder.encoder_layer"
    ],
}


@pytest.mark.parametrize("layers", BAD_LAYERS)
def test_bad_layers(layers: str) -> None:
    """What is wrong is refused at its place: a field that is not there at what it is not in."""
    text = network(layers)
    assert faults(text) == BAD_LAYERS[layers]
    assert errors(infer(read(from_bytes("network.yaml", text.encode()))).diagnostics)


BAD_SECTIONS = {
    "optimiser: Adam": "",
    "optimizer: {Adam: {rate: 1}}": "optimizer.Adam",
    "optimizer: {Adam: {lr: fast}}": "optimizer.Adam.lr",
    "optimizer: Adm": "optimizer",
    "loss: {MSELoss, input: a}": "loss",
    "loss: MSE": "loss",
    "scheduler: {StepLR: {gamma: 0.1}}": "scheduler.StepLR",
    "scheduler: {StepLR: 3, step: day}": "scheduler.step",
    "scheduler: {SequentialLR: {schedulers: [StepL], milestones: []}}": (
        "scheduler.SequentialLR.schedulers.0"
    ),
    "data: {Digits, validation: 2}": "data.validation",
    "data: {Random: {sample: 3}}": "data.Random",
    "train: {epoch: 3}": "train",
    "train: {device: gpu}": "train.device",
    "train: 3": "train",
    "init: [{match: a, zero_}]": "init.0",
    "init: [{type: Conv, zeros_}]": "init.0.type",
    "pretrained: {strict: false}": "pretrained",
    "name: a b": "name",
    "vars: {norm: {GroupNorm: {num_group: 8}}}": "vars.norm.GroupNorm",
    "blocks: {block: {layers: [ReLU]}}": "blocks",
    "blocks: {Block: {params: {a}}}": "blocks.Block",
    "blocks: {Block: {layers: [{Linear: {out: 3}}]}}": "blocks.Block.layers.0.Linear",
}


@pytest.mark.parametrize("section", BAD_SECTIONS)
def test_bad_sections(section: str) -> None:
    """The schema refuses a wrong section at the place of the mistake."""
    assert set(faults(network("- Linear: 3", section))) == {BAD_SECTIONS[section]}


GOOD = {
    "an expression for a number": network("- Linear: $width", "vars: {width: 3}"),
    "one for an item, and arguments": network("- $act\n- Linear: $opts", "vars: {act: ReLU}"),
    "one within a list": network('- Conv2d: {out_channels: 1, kernel_size: [3, "$(2 + 1)"]}'),
    "one for a word, one for a condition": network("- {GELU: $kind, when: $deep}"),
    "one for a whole section": (
        "vars: {a: [8], b: {epochs: 3}, c: [{type: Linear, zeros_}]}\n"
        "input: $a\ntrain: $b\ninit: $c\nlayers: [Linear: 2]"
    ),
    "a block": network("- Block\n- Block: 3", "blocks: {Block: {params: {a: 3}, layers: [ReLU]}}"),
    "names of modifiers": network("  name: ReLU\n  inputs: {repeat: {Linear: 3}, init: ReLU}"),
    "nothing in a section": network("- ReLU", "loss:\ndata:\ntrain:"),
    "a stack with modifiers": network("  a: {layers: {b: ReLU}, repeat: 3, inputs: input}"),
    "an overlay of one argument": "extends: a.yaml\nlayers: {conv: {Conv2d: {stride: 2}}}",
    "an overlay of modifiers": "extends: a.yaml\nlayers: {add: {inputs: [a, b]}, b: {when: false}}",
    "an overlay of a block of the base": "extends: a.yaml\nlayers: {stem: {Stem: {width: 3}}}",
    "an overlay without layers": "extends: a.yaml\nscheduler: {StepLR: {gamma: 0.5}}",
    "numbers as names": network("  0: ReLU\n  1: {ReLU, inputs: 0}\n  2: {Add, inputs: [0, 1]}"),
    "a parametrization of weight": network(
        "- {Linear: 3, parametrize: spectral_norm}\n"
        "- {Linear: 3, parametrize: {weight_norm: {dim: 1}}}"
    ),
    "files of weights": network(
        "- {layers: [ReLU], pretrained: {file: a.pth, prefix: a}}\n"
        "- {layers: [ReLU], pretrained: a.pth}",
        "pretrained: [a.pth, {file: b.pth, rename: {a.*: b.*}}]",
    ),
    "modules left out by their numbers": network(
        "- ReLU", "pretrained: {file: a.pth, strict: false, leave_out: [0, 1.0]}"
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_good(name: str) -> None:
    """What may be written in other words is accepted."""
    assert faults(GOOD[name]) == []


def test_misspelt_field_over_another_file() -> None:
    """In a file that extends another a field is refused where it is none."""
    assert faults("extends: a.yaml\nlayers: {conv: {Conv2d: {strid: 2}}}") == ["layers.conv.Conv2d"]
