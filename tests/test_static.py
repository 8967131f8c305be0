"""Static commands do not load torch, and the public names are complete."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import netbuild
from netbuild.diagnostics.codes import CODES
from netbuild.syntax.names import RESERVED
from tests import ROOT
from tests.components.layers import FAMILIES, READERS
from tests.components.layers.contract import text_of_case

if TYPE_CHECKING:
    from pathlib import Path

#: The networks that are no file of torchvision's.
EACH = sorted(str(path) for path in (ROOT / "configs").glob("*.yaml"))
HEAVY = {"torch", "numpy", "sklearn", "safetensors"}

PROBE = """
import sys
from netbuild.cli import app
for arguments in {commands}:
    sys.argv = ["netbuild", *arguments]
    try:
        app()
    except SystemExit as leave:
        assert leave.code in (0, None), (arguments, leave.code)
    print("LOADED", *sorted({heavy} & set(sys.modules)))
"""


def output(*commands: list[str]) -> list[str]:
    """Run commands in one new process; return what each printed, and then what heavy is loaded."""
    code = PROBE.format(commands=commands, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.splitlines()


COMMANDS = [
    ["validate", "configs/lenet.yaml", "configs/transformer.yaml"],
    ["summary", "configs/lenet.yaml"],
    ["summary", "configs/lenet.yaml", "--format", "json"],
    ["diff", "configs/lenet.yaml", "configs/lenet-bn.yaml"],
    ["draw", "configs/lenet.yaml", "--to", "mermaid"],
    ["layers"],
    ["layers", "Conv2d"],
    ["losses"],
    ["optimizers"],
    ["schedulers"],
    ["initializers"],
    ["--version"],
]


def test_no_torch() -> None:
    """`validate` and `summary` load neither torch nor anything else of the extra `train`.

    The commands run one after the other, and the first that loads something differs.
    """
    loaded = [line for line in output(*COMMANDS) if line.startswith("LOADED")]
    names = [" ".join(command) for command in COMMANDS]
    assert dict(zip(names, loaded, strict=True)) == dict.fromkeys(names, "LOADED")


@pytest.mark.slow
def test_no_torch_for_any_config() -> None:
    """The same for each network of `configs/`; `.ci/run` checks torchvision's without torch.

    The masks of `unet-masks.yaml` are read as arrays of numpy, where it is installed.
    """
    assert output(["validate", *EACH])[-1] == "LOADED numpy"


@pytest.mark.slow
def test_no_torch_for_any_layer(tmp_path: Path) -> None:
    """The summary of a network with any layer does not load torch."""
    for family in FAMILIES.values():
        for row in family.rows:
            (tmp_path / f"{row.type}.yaml").write_text(text_of_case(row.case), encoding="utf-8")
    files = sorted(tmp_path.glob("*.yaml"))
    assert {path.stem for path in files} == set(READERS)
    lines = output(*[["summary", str(path)] for path in files])
    assert sum(line.startswith(" total") for line in lines) == len(READERS)
    assert lines[-1] == "LOADED"


def test_public_surface() -> None:
    """`__all__` is sorted and complete, and every name in it is there."""
    assert netbuild.__all__ == sorted(netbuild.__all__)
    assert all(getattr(netbuild, name) is not None for name in netbuild.__all__)
    assert set(dir(netbuild)) == {*netbuild.__all__, "__version__"}
    with pytest.raises(AttributeError, match="module 'netbuild' has no attribute 'lode'"):
        netbuild.lode  # noqa: B018


def test_codes_are_used() -> None:
    """Every code of the table is given somewhere in the source, and no other one is."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "netbuild").rglob("*.py")]
    used = re.findall(r'(?<!^    )"(NB\d{3})"', "\n".join(texts), flags=re.MULTILINE)
    assert set(used) == set(CODES)


def test_reserved_names() -> None:
    """The names that a module cannot have are those that torch refuses."""
    from torch import fx, nn

    modules = nn.Sequential(), fx.symbolic_trace(nn.ReLU())
    taken = {name for module in modules for name in dir(module) if not name.startswith("_")}
    assert taken - {"inplace", "relu"} == RESERVED
    for name in sorted({name for name in dir(modules[0]) if not name.startswith("_")}):
        with pytest.raises(KeyError, match="already exists"):
            nn.Sequential().add_module(name, nn.ReLU())


NEVER = (
    "IPython",
    "netbuild.reports.showing",
    "netbuild.reports.drawing",
    "netbuild.config.worked",
)
RUN = "from netbuild.cli import app; app({}, standalone_mode=False)"


@pytest.mark.parametrize(
    "code",
    [
        RUN.format(["summary", "configs/lenet.yaml"]),
        RUN.format(["validate", "configs/lenet.yaml"]),
        pytest.param("import netbuild.training.session", marks=pytest.mark.slow),
    ],
)
def test_what_shows_itself_is_loaded_when_asked(code: str) -> None:
    """Commands and a training do not load what notebooks show."""
    probe = f"import sys\n{code}\nprint('LOADED', [n for n in {NEVER} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.splitlines()[-1] == "LOADED []"
