"""What each code means, why it is bad, and the repair: one page each, as `NB204.md` beside this.

A page is short Markdown with two files among its paragraphs, `bad` and `good`. Further ones have
the name that the two know them by: `base.yaml`, or `trunk.safetensors`, which holds the weights of
the network that stands there. The title of a page is in `CODES`, and nowhere else.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import NamedTuple

from netbuild.diagnostics.codes import CODES, severity
from netbuild.diagnostics.wording import suggest

#: What the first digit of a code stands for.
GROUPS = {
    "NB0": "The text and its YAML",
    "NB1": "Fields and sections",
    "NB2": "Graph and shapes",
    "NB3": "Architecture",
    "NB4": "Training sections",
    "NB5": "Data and files",
}

_FENCE = re.compile(r"^```yaml (\S+)\n(.*?)^```$\n?", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    """A file of a page: `bad`, `good`, or the name that these know it by."""

    name: str
    text: str


class Page(NamedTuple):
    """What there is to know of a code: paragraphs, and the files that stand between them."""

    code: str
    parts: tuple[str | Example, ...]

    @property
    def title(self) -> str:
        """What the code means, in one line."""
        return CODES[self.code]

    @property
    def severity(self) -> str:
        """`error`, or `warning` for what torch would accept."""
        return severity(self.code)

    @property
    def text(self) -> str:
        """The paragraphs, without the files."""
        return "\n\n".join(part for part in self.parts if isinstance(part, str))

    @property
    def files(self) -> dict[str, str]:
        """The texts of the files by their names, `bad` and `good` among them."""
        return {part.name: part.text for part in self.parts if isinstance(part, Example)}


def page(code: str) -> Page:
    """Return the page of a code, read from the package."""
    text = resources.files(__name__).joinpath(f"{code}.md").read_text(encoding="utf-8")
    pieces = _FENCE.split(text)  # a paragraph, and then a name, a file and a paragraph each time
    parts: list[str | Example] = [*_paragraphs(pieces[0])]
    for name, example, behind in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        parts += [Example(name, example), *_paragraphs(behind)]
    return Page(code, tuple(parts))


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n{2,}", text) if part.strip()]


def codes(prefix: str = "") -> tuple[str, ...]:
    """Return the codes that begin like this, in their order; `nb2` is as good as `NB2`."""
    return tuple(code for code in CODES if code.startswith(prefix.upper()))


def hint(word: str) -> str:
    """Return what is to be said of a word that no code begins with."""
    group = re.fullmatch(r"NB\d{0,2}", word.upper())  # which no single code is meant by
    meant = None if group else suggest(word, tuple(CODES))
    first, *_, last = GROUPS
    lists = f"netbuild rule lists them, in the groups {first} to {last}"
    return f"did you mean {meant}?" if meant else lists
