"""Faults as data: where a text is wrong, what is wrong, and how to mend it.

Every step from text to network collects `Diagnostic`s instead of raising, so one run reports all
faults of a file. Formats (`netbuild.render.faults`) only print them.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What each code means, in one line. The first digit is the group.
CODES = {
    # The text and its YAML.
    "NB001": "the file is not UTF-8 text",
    "NB002": "the YAML cannot be parsed",
    "NB003": "a key stands twice in one mapping",
    "NB004": "a YAML tag",
    "NB005": "more than one YAML document, or none",
    "NB006": "a YAML merge key",
    "NB007": "the file is larger or deeper than any network needs",
    "NB008": "a number that YAML versions read differently, or that is too large",
    "NB009": "no space after a colon",
    "NB010": "a key that is no plain word",
    "NB011": "an alias without its anchor",
    # Fields and sections.
    "NB101": "an unknown section",
    "NB102": "a missing section",
    "NB103": "an unknown type",
    "NB104": "an unknown field",
    "NB105": "a missing field",
    "NB106": "a value that a field does not take",
    "NB107": "an argument beside its item instead of inside, or a modifier inside",
    "NB108": "an item that is not written as one",
    "NB109": "a name that cannot be had, or is taken",
    "NB110": "an expression that cannot be evaluated",
    "NB111": "a base file that cannot be extended",
    "NB112": "a --set path that the file does not have",
    # Graph and shapes.
    "NB201": "an input of the wrong rank",
    "NB202": "a size that contradicts the input",
    "NB203": "channels that do not divide into groups",
    "NB204": "a window that does not fit its input",
    "NB205": "an axis that does not exist, or that is the batch",
    "NB206": "sizes that do not multiply to the input's",
    "NB207": "an input of the wrong dtype",
    "NB208": "another number of inputs than the layer reads",
    "NB209": "more than any network needs",
    "NB210": "one value per channel, where a normalisation needs several",
    "NB211": "a layer that overwrites what an earlier one still needs",
    "NB212": "inputs whose shapes do not go together",
    "NB213": "a name that nothing in the stack has",
    "NB214": "a block within itself",
    "NB215": "a module that is called again with inputs of other sizes",
    "NB216": "layers that read one another in a circle",
    # Architecture: warnings.
    "NB301": "layers that collapse into one",
    "NB302": "a result that nobody reads",
    "NB303": "an input that nobody reads",
    "NB304": "scores that their loss squashes again",
    "NB305": "a loss of probabilities that gets scores",
    "NB306": "more outputs than the data has classes",
    "NB307": "a bias that a normalisation takes away",
    "NB308": "a dropout where it does harm",
    "NB309": "a dropout that does not go with the activation",
    "NB310": "a batch norm with too few values",
    "NB311": "border rows that a stride leaves out",
    "NB312": "a stride that is larger than its window",
    "NB313": "a receptive field that is smaller than the objects",
    "NB314": "a transposed convolution that draws a checkerboard",
    "NB315": "a deep stack of activations that saturate",
    "NB316": "weights that nothing trains",
    "NB317": "a scheduler that has no effect, or ends too early",
    "NB318": "an ignore comment that silences nothing",
    # Training sections.
    "NB401": "a loss that does not take what the network gives",
    "NB402": "a network without weights",
    "NB403": "a scheduler that does not go with the optimizer or the training",
    "NB404": "an initializer that does not fit a tensor",
    "NB405": "an initializer or a rule that is for nothing",
    "NB406": "an optimizer that does not take the network's weights",
    "NB407": "a network that exceeds its budget",
    "NB408": "a parameter group without weights",
    "NB409": "a metric that does not go with the loss",
    # Data and files.
    "NB501": "data that the network or the loss does not take",
    "NB502": "a file of weights that cannot be read",
    "NB503": "weights that do not fit the network",
}

#: A file with more faults than this is reported up to here: nobody reads on, and time is bounded.
MAX_FAULTS = 100

# The line breaks of YAML 1.1, which libyaml counts: a line number must mean the same everywhere.
_LINE_BREAK = r"\r\n|[\r\n\x85\u2028\u2029]"


class Document:
    """A text and what it is called: a path, `<stdin>`, or a command-line option such as `--set`.

    `data` is the text as it was read, where that was from a file.
    """

    def __init__(self, name: str, text: str, data: bytes = b"") -> None:
        self.name, self.text, self.data = name, text, data

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text, without their breaks."""
        return re.split(_LINE_BREAK, self.text)


class Span(NamedTuple):
    """A range of a document; lines and columns count from 1, the end is exclusive."""

    document: Document
    line: int
    column: int
    end_line: int
    end_column: int

    def within(self, start: int, length: int) -> Span:
        """Return the part of a one-line span that begins `start` characters in."""
        if self.line != self.end_line or start + length > self.end_column - self.column:
            return self
        column = self.column + start
        return self._replace(column=column, end_column=column + length)


class Edit(NamedTuple):
    """Replace the text of a range."""

    span: Span
    text: str


class Fix(NamedTuple):
    """A repair as edits; a safe one cannot change what a correct file means."""

    title: str
    edits: tuple[Edit, ...]
    safe: bool = False


class Note(NamedTuple):
    """A labelled line under the excerpt, such as `input` or `formula`."""

    label: str
    text: str


class Diagnostic(NamedTuple):
    """One fault: `title` says what is wrong with what, `label` why, beside the underlined range."""

    code: str
    title: str
    span: Span
    label: str = ""
    notes: tuple[Note, ...] = ()
    help: str | None = None
    layer: str | None = None
    fixes: tuple[Fix, ...] = ()

    @property
    def severity(self) -> Literal["error", "warning"]:
        """Whether it is an error, or a warning of what torch would accept."""
        return severity(self.code)

    @property
    def message(self) -> str:
        """The fault in one line."""
        return f"{self.title}: {self.label}" if self.label else self.title


class ConfigError(ValueError):
    """A config has faults: `.diagnostics` holds all of them."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(
            "\n".join(
                f"{d.span.document.name}:{d.span.line}:{d.span.column}: {d.code} {d.message}"
                for d in self.diagnostics
            )
        )


def with_fixes(fault: Diagnostic, fixes: tuple[Fix, ...]) -> Diagnostic:
    """Return a fault with other fixes, and the note that says what they give."""
    notes = tuple(note for note in fault.notes if note.label != "fix")
    if fixes:
        notes += (Note("fix", ", or ".join(fix.title for fix in fixes)),)
    return fault._replace(notes=notes, fixes=fixes)


def severity(code: str) -> Literal["error", "warning"]:
    """Return what a code is: NB3xx are matters of taste and of learning, warnings."""
    return "warning" if code.startswith("NB3") else "error"


def reason(error: Exception) -> str:
    """Return why a file cannot be used, in the words of the system where these are its own."""
    return str(getattr(error, "strerror", None) or error)


def article(noun: str) -> str:
    """Return `a` or `an`."""
    return "an" if noun[0] in "aeiou" else "a"


def brief(text: str, length: int = 40) -> str:
    """Return a text cut to what a message can show."""
    return text if len(text) <= length else text[: length - 1] + "…"


def errors(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return the faults among the diagnostics, without the warnings."""
    return [d for d in diagnostics if d.severity == "error"]


@lru_cache(maxsize=1024)
def suggest(word: str, known: tuple[str, ...]) -> str | None:
    """Return the known word that a misspelt one most likely stands for, or None.

    A difference of case alone (`Conv2D`) always counts as a misspelling.
    """
    if len(word) > 40:  # difflib is quadratic in the word
        return None
    folded = {name.lower(): name for name in reversed(known)}
    if word.lower() in folded:
        return folded[word.lower()]
    from difflib import get_close_matches

    near = get_close_matches(word.lower(), folded, n=1, cutoff=0.7)
    return folded[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str], span: Span) -> tuple[str | None, tuple[Fix, ...]]:
    """Return the help and the fix for a misspelt word; (None, ()) where nothing is near."""
    near = suggest(word, tuple(known))
    if near is None:
        return None, ()
    return f"did you mean {near}?", (Fix(f"replace {word} by {near}", (Edit(span, near),)),)
