"""The worked networks that come with netbuild: where they are, and which files each one needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from netbuild.syntax.node import List, Scalar
from netbuild.syntax.parser import from_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.syntax.node import Node

#: The table of all networks, which a test keeps up to date.
CATALOGUE = "README.md"
_ROW = re.compile(r"\| \[([\w./-]+)\]\([\w./-]+\) \| ([\d,]+) \| (.*) \|")


class Worked(NamedTuple):
    """A worked network: its name for `--from`, its parameters, and a sentence about it."""

    name: str
    params: str
    about: str


def folder() -> Path:
    """Return the folder of the worked networks: inside the wheel, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def listed() -> list[Worked]:
    """Return all worked networks; an empty list if the installation lacks them."""
    try:
        text = (folder() / CATALOGUE).read_text(encoding="utf-8")
    except OSError:
        return []
    return [Worked(*match.groups()) for match in map(_ROW.fullmatch, text.splitlines()) if match]


def needed(path: Path) -> list[Path]:
    """Return the files that a network needs: base files, blocks, and data and weights if there."""
    found: dict[Path, None] = {}
    _collect(path, found)
    return [file for file in found if file != path]


def _collect(path: Path, found: dict[Path, None]) -> None:
    if path in found:
        return
    found[path] = None
    if path.suffix != ".yaml":
        return
    root = from_file(path).root
    for text in _texts(root) if root else ():
        if not re.fullmatch(r"[\w-][\w./-]*[./][\w./-]*", text):
            continue
        other = path.parent / text
        if other.is_dir():
            found |= dict.fromkeys(sorted(file for file in other.rglob("*") if file.is_file()))
        elif other.is_file():
            _collect(other, found)


def _texts(node: Node) -> Iterator[str]:
    if isinstance(node, Scalar):
        if isinstance(node.value, str):
            yield node.value
        return
    for inner in node.items if isinstance(node, List) else [e.value for e in node.entries.values()]:
        yield from _texts(inner)


def about(path: Path) -> str:
    """Return the first statement of the comment at the top of a file; "" without a comment."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# "):
            break
        lines.append(line.removeprefix("# ").strip())
    text = re.sub(r",? https?://[^\s)]+", "", " ".join(lines))
    # A full stop ends a sentence, but not in "al. 2018".
    return re.split(r":\s|(?<!al)\.\s", f"{text} ", maxsplit=1)[0].strip()


def renamed(text: str, before: str, path: Path) -> str:
    """Return the text of a worked network with another name, and in its comments another path."""
    text = re.sub(r"(?m)^name: [\w-]+", f"name: {path.stem}", text, count=1)
    text = re.sub(rf"\bconfigs/{re.escape(before)}\.yaml\b", path.as_posix(), text)
    inside = "" if str(path.parent) == "." else f"{path.parent.as_posix()}/"
    text = re.sub(r"\bconfigs/(?=[\w-]+[./])", inside, text)
    own = before.rpartition("/")[2]
    return re.sub(rf"\bruns/{re.escape(own)}\b", f"runs/{path.stem}", text)
