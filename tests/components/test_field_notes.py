"""Every field says what it means, in one line below it; reading these costs nothing at start."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

from netbuild.components.component import Component, bare_field, field_notes
from netbuild.components.fields import Bool, Float, Int
from netbuild.config.budget import Budget
from netbuild.config.inputs import Input
from netbuild.config.losses import Weighing
from netbuild.config.modifiers import LayerModifiers, StackModifiers
from netbuild.config.preparation import Preparation
from netbuild.config.pretrained import Pretrained
from netbuild.config.scheduler import Stepping
from netbuild.config.train import Train
from netbuild.reports.catalogue import entries as catalogue
from tests import ROOT
from tests.tables import over

KINDS = (
    "layers",
    "losses",
    "optimizers",
    "schedulers",
    "initializers",
    "datasets",
    "augmentations",
)
SECTIONS: tuple[type[Component], ...] = (
    Input,
    Train,
    Budget,
    Preparation,
    Pretrained,
    Stepping,
    Weighing,
    LayerModifiers,
    StackModifiers,
)
COMPONENTS = {
    **{name: component for kind in KINDS for name, component in catalogue.catalogue(kind).items()},
    **{section.__name__: section for section in SECTIONS},
}


class Base(Component):
    """Three fields that it knows to be the last, of which one says nothing."""

    last: ClassVar[str] = "b a"

    a: Int = 0
    """What a is."""
    b: Bool = False
    """What b is."""
    silent: Float = 0.0


class Member(Base):
    """A field of its own; another default of a, and another meaning of b."""

    own: Int
    """What its own is."""
    a: Int = 1
    b: Bool = True
    """What b is here."""


@over(COMPONENTS)
def test_every_field_has_a_line(name: str) -> None:
    """Each field has one line, which is a sentence and more than its name."""
    component = COMPONENTS[name]
    notes = field_notes(component)
    assert list(notes) == list(component.model_fields)
    for field, note in notes.items():
        assert "\n" not in note
        assert len(note) <= 110, note
        assert note.endswith("."), note
        assert note[0].isupper() or note.split()[0] in {"false", "true", "null"}, note
        assert note.rstrip(".").lower() != field.lower().replace("_", " ")
        assert len(note.split()) >= 2, note


def test_inherited_lines() -> None:
    """A line holds for all members of a family, and a member may have its own."""
    assert field_notes(Base) == {"b": "What b is.", "a": "What a is."}
    notes = {"own": "What its own is.", "b": "What b is here.", "a": "What a is."}
    assert field_notes(Member) == notes


def test_order() -> None:
    """The last fields stand behind those that a member adds, in their order, checked in it too."""
    assert list(Base.model_fields) == ["silent", "b", "a"]
    assert list(Member.model_fields) == ["silent", "own", "b", "a"]
    assert bare_field(Member) == "silent"
    assert list(Member(own=2).model_dump()) == ["silent", "own", "b", "a"]


def test_a_right_file_reads_no_sources() -> None:
    """Checking a file without faults parses no source of netbuild."""
    program = (
        "from netbuild.checks.trace import infer; from netbuild.config.load import read; "
        "from netbuild.syntax.parser import from_file; from netbuild.components import component; "
        "from pathlib import Path; "
        "assert not infer(read(from_file(Path('configs/lenet.yaml')))).diagnostics; "
        "print(component._notes.cache_info().currsize)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "0\n"
