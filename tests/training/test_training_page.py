"""docs/training.md is complete and correct."""

from __future__ import annotations

import json
import re

from netbuild.checks.trace import infer
from netbuild.components.datasets import DATASETS
from netbuild.config.load import read
from netbuild.config.preparation import Preparation
from netbuild.config.train import Train
from netbuild.syntax.parser import from_bytes
from tests import ROOT

PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_example_has_no_faults() -> None:
    """The first example of the page has no fault and no warning."""
    example = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
    assert infer(read(from_bytes("training.yaml", example.encode()))).diagnostics == ()


def test_every_field_and_every_source_is_there() -> None:
    """The page has every field and every source, with the defaults of the code."""
    for name in [*DATASETS, *Train.model_fields]:
        assert f"`{name}`" in PAGE, name
    for name in Preparation.model_fields:
        assert f"`{name}: " in PAGE, name
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| (\S+) \|", PAGE, re.MULTILINE)
    shown = {name: default for names, default in rows for name in re.findall(r"`(\w+)`", names)}
    for name, info in Train.model_fields.items():
        assert shown[name].strip("`") == json.dumps(info.default).strip('"'), name
