"""Worked networks: the catalogue is up to date, and each network comes with what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netbuild.config import worked
from netbuild.config.load import load
from tests import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOLDER = ROOT / "configs"
FILES = [*sorted(FOLDER.glob("*.yaml")), *sorted((FOLDER / "torchvision").glob("*.yaml"))]
HEAD = """\
# Worked networks

`netbuild new NAME --from resnet18` writes one of them, with the files that it needs, and
`netbuild new --list` prints this table. torchvision's weights load into those under `torchvision/`.

| name | params | about |
|---|---:|---|
"""


def named(path: Path) -> str:
    """Return the name of a network for `--from`."""
    return path.relative_to(FOLDER).with_suffix("").as_posix()


@pytest.mark.slow
def test_catalogue(expect: Callable[[Path, str], None]) -> None:
    """configs/README.md has a row for each network: `pytest FILE --full --overwrite` renews it."""
    from netbuild.checks.trace import infer
    from netbuild.reports import summary

    rows = []
    for path in FILES:
        graph = infer(load(path))
        about = worked.about(path) or summary.title(graph)
        name = named(path)
        rows.append(f"| [{name}]({name}.yaml) | {graph.params:,} | {about} |\n")
    expect(FOLDER / worked.CATALOGUE, HEAD + "".join(rows))


def test_every_network_is_listed() -> None:
    """The catalogue has each network once, in the order of the folders."""
    assert [one.name for one in worked.listed()] == [named(path) for path in FILES]
    assert all(one.about and len(one.about) < 170 for one in worked.listed())
