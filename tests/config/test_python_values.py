"""Configs of Python's values: `loads`, `load` of a mapping, `with_` and `dumps`."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import pytest

from netbuild import Config, ConfigError, load, loads
from netbuild.checks.trace import infer
from netbuild.config.resolution import differences
from netbuild.reports import summary
from tests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.diagnostics.diagnostic import Diagnostic

SECTIONS: dict[str, Any] = {
    "name": "small",
    "input": (1, 8, 8),
    "vars": {"width": 16},
    "layers": [{"Conv2d": {"out_channels": "$width", "kernel_size": 3}}, "Flatten", {"Linear": 10}],
    "loss": "CrossEntropyLoss",
    "optimizer": {"Adam": {"lr": 1e-2}},
    "data": "Digits",
    "train": {"epochs": 2},
}
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


def fault(config: Config, values: dict[str, Any]) -> Diagnostic:
    """Return the only fault of a change."""
    with pytest.raises(ConfigError) as caught:
        config.with_(values)
    (found,) = caught.value.diagnostics
    return found


def described(config: Config) -> str:
    """Return the network of a config without lines of the text."""
    return "\n".join(
        line for line in summary.as_json(infer(config)).splitlines() if '"line": ' not in line
    )


def test_a_mapping_is_a_file() -> None:
    """A mapping means what the same file means; tuples are lists."""
    config = load(SECTIONS)
    assert (config.name, config.train.epochs) == ("small", 2)
    assert infer(config).params == 6 * 6 * 16 * 10 + 10 + 16 * 9 + 16
    text = load(SECTIONS, set="vars.width=4").dumps()
    assert infer(loads(text)).params == 6 * 6 * 4 * 10 + 10 + 4 * 9 + 4


def test_faults_of_a_mapping() -> None:
    """A fault of a mapping names what it finds. A value that no file can hold is a fault, too."""
    with pytest.raises(ConfigError, match=r"<mapping>:\d+:\d+: NB101 no section is called layer"):
        load({"input": [4], "layers": ["ReLU"], "layer": []})
    with pytest.raises(ConfigError) as caught:
        load(SECTIONS | {"train": {"epochs": Decimal(3)}})
    (found,) = caught.value.diagnostics
    assert (found.code, found.label) == ("NB108", "train.epochs is a value of the type Decimal")
    with pytest.raises(ConfigError, match="<text>:1:5: NB002"):
        loads("a: [")
    with pytest.raises(ConfigError, match=r"shapes\.yaml:1:9: NB001"):
        loads("input: [\udc80]", name="shapes.yaml")


def test_paths_of_a_text() -> None:
    """Paths of a text start from the folder of its name."""
    text = (ROOT / "configs/forecast.yaml").read_text("utf-8")
    assert infer(loads(text, name=str(ROOT / "configs/x.yaml"))).params == 69
    with pytest.raises(ConfigError, match=r"teacher\.yaml"):
        loads((ROOT / "configs/distilled.yaml").read_text("utf-8"))


def test_with() -> None:
    """`with_` changes a copy. Its values are of Python, its paths those of `--set`."""
    config = load(SECTIONS)
    other = config.with_(
        {
            "train.epochs": 3,
            "train.patience": None,
            "optimizer": {"SGD": {"lr": 0.1, "momentum": 0.9}},
            "layers.0.Conv2d.padding": "same",
            "vars.width": 8,
        }
    )
    assert (config.train.epochs, other.train.epochs) == (2, 3)
    assert repr(other.optimizer).startswith("SGD(lr=0.1, momentum=0.9,")
    assert infer(other).rows[0].output.shape == (8, 8, 8)
    again = other.with_({"vars.width": 4})
    assert infer(again).rows[0].output.shape == (4, 8, 8)
    assert again.settings[0] == "train.epochs=3"
    assert again.settings[-1] == "vars.width=4"
    assert differences(config, config.with_({})) == []


def test_texts_stay_texts() -> None:
    """A text that looks like another value, or has marks of YAML, is still a text."""
    config = load(SECTIONS)
    for text in ("3", "null", "a: b", "# no", "[x]", "two\nlines", "é", "'\"", " blanks ", "a=b"):
        changed = config.with_({"vars.width": text})
        assert changed.names["width"] == text


def test_faults_of_with() -> None:
    """The place of a fault is in the setting, as for `--set`."""
    config = load(SECTIONS)
    unknown = fault(config, {"train.epoch": 3})
    assert (unknown.code, unknown.span.document.name, unknown.span.column) == ("NB104", "--set", 7)
    wrong = fault(config, {"train.epochs": "many"})
    assert (wrong.code, wrong.span.line, wrong.span.column) == ("NB106", 1, 14)
    nowhere = fault(config, {"layers.7.Linear": 3})
    assert (nowhere.code, nowhere.label) == ("NB112", "the list has 3 entries, 0 to 2")
    foreign = fault(config, {"train.epochs": Decimal(3)})
    assert (foreign.code, foreign.label) == ("NB108", "train.epochs is a value of the type Decimal")
    assert fault(config, {"extends": "x.yaml"}).code == "NB112"
    with pytest.raises(TypeError, match="with_ takes a mapping of paths to values, and no str"):
        config.with_(cast("Any", "train.epochs=3"))
    with pytest.raises(TypeError, match="loads takes the text of a file, and no bytes"):
        loads(cast("Any", b"input: [4]"))


def test_base_files_are_not_read_again(tmp_path: Path) -> None:
    """A config stays what it is if the file that it extends is gone."""
    (tmp_path / "base.yaml").write_text("input: [4]\nlayers: [Linear: 3]\n", "utf-8")
    (tmp_path / "own.yaml").write_text("extends: base.yaml\nname: own\n", "utf-8")
    config = load(tmp_path / "own.yaml")
    (tmp_path / "base.yaml").unlink()
    assert infer(config.with_({"layers.0.Linear": 5})).params == 25


#: Two of them run in the quick run, too.
QUICK = {"multitask", "gan"}


@pytest.mark.parametrize(
    "path",
    [p if p.stem in QUICK else pytest.param(p, marks=pytest.mark.slow) for p in CONFIGS],
)
def test_dumps(path: Path) -> None:
    """The text of `dumps` is the same config, and the same network, in any folder."""
    config = load(path)
    again = loads(config.dumps())
    assert differences(config, again) == []
    assert described(again) == described(config)
    assert again.dumps() == config.dumps()
