"""The page of each code: what it means, why it is bad, how to repair it, and where it is checked.

The page of NB204 is `NB204.md` in this folder. It begins with a block that names the modules that
give the code, and in each the functions:

    ---
    netbuild/components/layers/fold.py: Fold._blocks
    ---

`test_rules.py` compares this block with the code of the package, and its option `--overwrite`
renews the block. Short Markdown follows, with two example files, `bad` and `good`. A page can hold
further files that the examples refer to by name, such as `base.yaml`. A file `trunk.safetensors`
shows a network, and stands for the weights of that network. The title of a page stands in `CODES`
only.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.codes import CODES, severity
from netbuild.diagnostics.wording import suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The title of each group of codes. The first digit of a code is its group.
GROUPS = {
    "NB0": "The text and its YAML",
    "NB1": "Fields and sections",
    "NB2": "Graph and shapes",
    "NB3": "Architecture",
    "NB4": "Training sections",
    "NB5": "Data and files",
}

_CHECKS = re.compile(r"---\n(.*?)^---\n", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^```yaml (\S+)\n(.*?)^```$\n?", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    """A file on a page: `bad`, `good`, or a file that these two refer to by its name."""

    name: str
    text: str


class Page(NamedTuple):
    """The page of a code: its paragraphs and example files, in their order.

    `checks` holds the modules that give the code, as paths from the root of the repository, and the
    functions in each.
    """

    code: str
    parts: tuple[str | Example, ...]
    checks: Mapping[str, tuple[str, ...]]

    @property
    def title(self) -> str:
        """The meaning of the code in one line."""
        return CODES[self.code]

    @property
    def severity(self) -> str:
        """`error`, or `warning` for a network that torch would accept."""
        return severity(self.code)

    @property
    def text(self) -> str:
        """The paragraphs without the files."""
        return "\n\n".join(part for part in self.parts if isinstance(part, str))

    @property
    def files(self) -> dict[str, str]:
        """The texts of all files, `bad` and `good` included, by their names."""
        return {part.name: part.text for part in self.parts if isinstance(part, Example)}


def page(code: str) -> Page:
    """Read the page of a code from the package."""
    text = resources.files(__name__).joinpath(f"{code}.md").read_text(encoding="utf-8")
    block = _CHECKS.match(text)
    pieces = _FENCE.split(text[block.end() :] if block else text)  # text, (name, file, text)…
    parts: list[str | Example] = [*_paragraphs(pieces[0])]
    for name, example, after in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        parts += [Example(name, example), *_paragraphs(after)]
    return Page(code, tuple(parts), _checks(block[1] if block else ""))


def _checks(block: str) -> dict[str, tuple[str, ...]]:
    """Return the functions by their modules; a module alone has the code outside a function."""
    lines = (line.partition(": ") for line in block.splitlines())
    return {module: tuple(names.split(", ")) if names else () for module, _, names in lines}


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n{2,}", text) if part.strip()]


def codes(prefix: str = "") -> tuple[str, ...]:
    """Return the codes that begin with a prefix, in their order; `nb2` equals `NB2`."""
    return tuple(code for code in CODES if code.startswith(prefix.upper()))


def hint(word: str) -> str:
    """Return advice on a word that no code begins with."""
    group = re.fullmatch(r"NB\d{0,2}", word.upper())  # a group: no single code is meant
    meant = None if group else suggest(word, tuple(CODES))
    first, *_, last = GROUPS
    lists = f"netbuild rule lists all codes, in the groups {first} to {last}"
    return f"did you mean {meant}?" if meant else lists
