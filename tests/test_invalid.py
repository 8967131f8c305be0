"""Broken files as people write them, each with a file of the whole text of its faults.

Every file of `tests/invalid/` is a test; `pytest tests/test_invalid.py --overwrite` writes the text
of a new one, and `docs/faults.md`, in which torch speaks of the same networks.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from netbuild.builder import module as builder
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.diagnostics.codes import CODES
from netbuild.diagnostics.diagnostic import errors
from netbuild.reports import faults
from netbuild.syntax.parser import from_bytes
from netbuild.syntax.repair import Repair
from tests.tables import hold
from tests.test_faults import is_title
from tests.torch_counterparts import joins, layers, masks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netbuild.diagnostics.diagnostic import Diagnostic, Fix
    from netbuild.syntax.parser import Source

FOLDER = Path(__file__).parent / "invalid"
FILES = sorted(FOLDER.glob("*.yaml"))
TABLE = FOLDER.parent.parent / "docs/faults.md"

#: What no file has by itself: a --set, the start of a training, an older torch, a file that does
#: not fit.
NOT_OF_A_FILE = {"NB112", "NB402", "NB412", "NB503"}
#: Of NB2xx, what is about names, formulas, numbers of layers, draws and modifiers, and not about
#: shapes: Python, not torch, would find it, or nothing would.
NOT_OF_SHAPES = {
    *("NB209", "NB213", "NB214", "NB216", "NB217", "NB218"),
    *("NB219", "NB220", "NB221"),
}


def check(source: Source) -> Sequence[Diagnostic]:
    """Return what `netbuild validate` finds in a source."""
    return infer(read(source)).diagnostics


@cache
def found(path: Path) -> Sequence[Diagnostic]:
    """Return what it finds in a file."""
    return check(from_bytes(path.name, path.read_bytes()))


def is_of_shapes(path: Path) -> bool:
    """Whether a file has a shape fault."""
    codes = {d.code for d in found(path)} - NOT_OF_SHAPES
    return any(code.startswith("NB2") for code in codes)


@cache
def shape_faults() -> list[Path]:
    """Return the files with a shape fault."""
    return [path for path in FILES if is_of_shapes(path)]


def stem(path: Path) -> str:
    """Return the name of a file."""
    return path.stem


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_text(path: Path, expect: Callable[[Path, str], None]) -> None:
    """The whole text of the faults is the expected one, at 80 columns, none of them wider."""
    assert found(path)
    text = faults.text(found(path), 80).plain
    expect(path.with_suffix(".txt"), text)
    too_wide = [line for line in text.splitlines() if len(line) > 80 and not is_title(line)]
    assert not too_wide


def test_every_code_has_a_file() -> None:
    """Each code that a file alone can have is given by some file."""
    given = {diagnostic.code for path in FILES for diagnostic in found(path)}
    assert given | NOT_OF_A_FILE == set(CODES)
    assert len(FILES) >= 50


def test_texts_have_their_files() -> None:
    """No text is left of a file that is gone."""
    assert {path.stem for path in FOLDER.iterdir()} == {path.stem for path in FILES}


def test_one_shape_fault() -> None:
    """A shape fault is one fault: what follows from it is not reported as others."""
    assert {stem(path): len(found(path)) for path in shape_faults()} == {
        stem(path): 1 for path in shape_faults()
    }


def first_fix(diagnostic: Diagnostic) -> Fix | None:
    """Return the fix of an error that is offered first."""
    return diagnostic.fixes[0] if diagnostic.severity == "error" and diagnostic.fixes else None


@cache
def fixed() -> list[Path]:
    """Return the files whose shape fault comes with a fix."""
    return [path for path in shape_faults() if any(map(first_fix, found(path)))]


def test_fix() -> None:
    """Each fix that is offered first repairs its file."""
    hold(repaired, fixed(), stem)


def repaired(path: Path) -> None:
    """With the fix that is offered first, a file validates, and runs in torch.

    Another fault that comes to light then has a fix of its own: behind a convolution of the wrong
    rank mostly stands a pool of the same.
    """
    source = from_bytes(path.name, path.read_bytes())
    repair = Repair(check, first_fix, lambda _: None)
    (left,) = repair.run([source])
    assert errors(left) == []
    graph = infer(read(from_bytes(path.name, repair.text(source))))
    with torch.device("meta"):
        module = builder.module(graph)
        x = [
            torch.zeros(2, *x.shape, dtype=getattr(torch, x.dtype))
            for x in graph.config.inputs.values()
            if x is not None
        ]
        y = module(*x)
    shapes = [tuple(part.shape[1:]) for part in (y if isinstance(y, tuple) else (y,))]
    assert shapes == [x.shape for x in graph.outputs.values()]


#: What netbuild knows no repair of, so far.
UNFIXED = {
    *("attention-without-transpose", "cosine-of-other-widths", "instancenorm-behind-global-pool"),
    *("mask-by-position", "mask-of-another-size"),
    *("siamese-with-two-encoders", "squeeze-and-excitation"),
}


def test_unfixed() -> None:
    """Those that come without a fix are known."""
    assert set(map(stem, shape_faults())) - set(map(stem, fixed())) == UNFIXED


def test_share_of_fixes() -> None:
    """Nine of ten shape faults come with a fix."""
    assert len(fixed()) / len(shape_faults()) >= 0.9


#: By the name of a file, what is written of it in torch.
COUNTERPARTS: dict[str, Callable[[], None]] = {**vars(layers), **vars(joins), **vars(masks)}


@cache
def torchs(name: str) -> str:
    """Return the last line of the traceback of a counterpart in torch, which raises as well."""
    counterpart = COUNTERPARTS[name.replace("-", "_")]
    with pytest.raises(Exception, match=r".") as raised:
        counterpart()
    line = f"{raised.type.__name__}: {raised.value}".strip().splitlines()[-1]
    assert "`" not in line
    return line


def test_every_shape_fault_has_a_counterpart() -> None:
    """Each is written in torch as well, under its name."""
    names = {path.stem.replace("-", "_") for path in shape_faults()}
    assert names <= set(COUNTERPARTS)


INTRODUCTION = """\
# What netbuild says, and what torch says

The shape faults of the files in `tests/invalid/`, by code. The column "netbuild" has the message of
`netbuild validate` in one line; netbuild prints it before anything runs. The whole text, with the
excerpt, the shapes and the fixes, is in the `.txt` next to each file. The column "torch" has the
last line of the traceback for the same network in torch, with a batch of two; one network fails
only with a single sample. These networks are in `tests/torch_counterparts/`.

`pytest tests/test_invalid.py --overwrite` writes this table. The test checks both columns.
"""


def test_table(expect: Callable[[Path, str], None]) -> None:
    """`docs/faults.md` has netbuild's and torch's words for each shape fault."""
    by_code: dict[str, list[str]] = {}
    for path in shape_faults():
        (fault,) = found(path)
        link = f"[{path.stem}](../tests/invalid/{path.name})"
        said = f"line {fault.span.line}: {fault.message}".replace("|", "\\|").replace("*", "\\*")
        row = f"| {link} | {said} | `{torchs(path.stem)}` |"
        by_code.setdefault(fault.code, []).append(row)
    parts = [INTRODUCTION]
    for code in sorted(by_code):
        parts.append(f"## [{code}](rules.md#{code.lower()}): {CODES[code]}\n")
        parts.append("\n".join(["| file | netbuild | torch |", "|---|---|---|", *by_code[code]]))
        parts.append("")
    expect(TABLE, "\n".join(parts))
