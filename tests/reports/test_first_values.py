"""The first values of weights in `netbuild explain`."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Netbuild


def test_first_values(netbuild: Netbuild) -> None:
    """`init` at a layer, rules and torch's default are told apart, each with its line."""
    text = """\
input: [784]
init: [{match: "*.bias", zeros_}]
layers:
  - {Linear: 120, init: {kaiming_normal_: {nonlinearity: relu}}}
  - ReLU
  - {Linear: 10, init: {trunc_normal_: {mean: 0.1, std: 0.5, a: -1, b: 1}}}
  - LayerNorm
"""
    lines = netbuild("explain", "-", text=text).stdout.splitlines()
    begins = [n for n, line in enumerate(lines) if line.startswith("  begins")]
    assert [lines[n : n + 3] for n in begins] == [
        [
            "  begins    init",
            "    weight    normal, deviation √(2 / fan_in) = √(2 / 784) = 0.05051, by init, line 4",
            "    bias      all 0, by init, line 2",
        ],
        [
            "  begins    init",
            "    weight    normal within −1 to 1, mean 0.1, deviation 0.5, by init, line 6",
            "    bias      all 0, by init, line 2",
        ],
        [
            "  begins    torch's default and init",
            "    weight    all 1, by torch's default",
            "    bias      all 0, by init, line 2",
        ],
    ]
    done = netbuild("explain", "-", "0", "--format", "json", text=text)
    (layer,) = json.loads(done.stdout)["layers"]
    assert layer["first_values"]["bias"] == {
        "distribution": "constant",
        "value": 0.0,
        "formula": "",
        "numbers": "",
        "result": None,
        "note": "",
        "from": "init, line 2",
    }
    deviation = layer["first_values"]["weight"]["deviation"]
    assert math.isclose(deviation, math.sqrt(2 / 784))
    page = netbuild("explain", "-", "0", "--format", "markdown", text=text).stdout
    assert "| **begins** | init |  |  |\n|  | weight | normal, deviation" in page


def test_weights_from_a_file(netbuild: Netbuild) -> None:
    """Weights that `pretrained` loads are those of the file; `leave_out` keeps torch's."""
    text = """\
input: [4]
pretrained: {file: old.safetensors, strict: false, leave_out: ["1"]}
layers: [Linear: 8, Linear: 3]
"""
    done = netbuild("explain", "-", text=text)
    assert (
        "  begins    pretrained\n    weight, bias  the values in old.safetensors\n" in done.stdout
    )
    assert done.stdout.count("  begins    torch's default\n") == 1


def test_a_constant_is_no_weight(netbuild: Netbuild) -> None:
    """A kept constant is called one, and does not count again."""
    text = """\
input: [4]
layers:
  l: {Linear: 4}
  c: {Constant: {ones: [4]}}
  m: {Multiply, inputs: [l, c]}
  p: {Parameter: [4]}
  n: {Multiply, inputs: [m, p]}
"""
    said = netbuild("explain", "-", text=text).stdout
    assert "other     a constant, which is not counted again\n" in said
    assert "other     a weight, which is not counted again\n" in said
