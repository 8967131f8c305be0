"""The format of explanations for a terminal."""

from __future__ import annotations

import re
import textwrap
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from rich.control import strip_control_codes
from rich.segment import Segment

from netbuild.components.tensor import times
from netbuild.diagnostics.wording import brief
from netbuild.reports.explanation import LayerExplanation
from netbuild.reports.explanation.sections import (
    dedented,
    defaults,
    does,
    heading,
    parts,
    sections,
    values,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderResult

    from netbuild.reports.explanation import Explanation, StackExplanation
    from netbuild.reports.explanation.sections import Section
    from netbuild.reports.explanation.step import FormulaStep

#: A line as pieces of text, each with its style.
StyledLine: TypeAlias = "tuple[tuple[str, str], ...]"

#: The greatest width: longer lines are hard to read.
WIDTH = 100
#: The column of the names of steps, and the least column of their formulas.
_STEP, _FORMULA = 4, 14
#: The longest chain of equations on one line.
_CHAIN = 60
#: A value longer than this does not widen the column of values.
_VALUE = 16
#: The greatest number of lines of the file that are shown for a layer.
_LINES = 8


class StyledText(NamedTuple):
    """Lines that fit the terminal. rich prints them unchanged; wrapping a long `Text` is slow."""

    lines: tuple[StyledLine, ...]

    @property
    def plain(self) -> str:
        """The text without styles."""
        return "\n".join("".join(piece for piece, _ in line) for line in self.lines)

    def __rich_console__(self, console: Console, _: ConsoleOptions) -> RenderResult:
        """Yield the pieces of each line. Without colours, the whole text is one piece."""
        if console.color_system is None:
            yield Segment(f"{self.plain}\n")
            return
        for line in self.lines:
            for piece, style in line:
                yield Segment(piece, console.get_style(style) if style else None)
            yield Segment.line()


def text(explanation: Explanation, width: int = WIDTH) -> StyledText:
    """Return an explanation for a terminal. No line is wider than `width`."""
    return StyledText(tuple(_lines(explanation, width)))


def _lines(explanation: Explanation, width: int) -> Iterator[StyledLine]:
    """Yield the lines of an explanation, with an empty line between its parts."""
    width = min(max(width, 40), WIDTH)
    for number, part in enumerate(parts(explanation)):
        if number:
            yield ()
        yield _title(part, explanation, width)
        if isinstance(part, LayerExplanation):
            yield from ((), *_source(part, width), ())
            yield from (((f"  {line}", "italic"),) for line in _wrap(does(part), width - 2))
            yield ()
        for section in sections(part):
            yield from _section(section, width)
        if isinstance(part, LayerExplanation):
            yield from _values(part, width)


def _title(
    part: LayerExplanation | StackExplanation, explanation: Explanation, width: int
) -> StyledLine:
    name, type_, shapes = heading(part, explanation)
    title: StyledLine = ((strip_control_codes(name), "bold"), (f"  {type_} ", "bold cyan"))
    rule = width - sum(len(piece) for piece, _ in title) - len(shapes) - 1
    if rule < 3:  # the shapes also follow below
        return title
    return (*title, ("─" * rule, "bold dim"), (f" {shapes}" if shapes else "─", "bold"))


def _source(part: LayerExplanation, width: int) -> Iterator[StyledLine]:
    """Yield the lines of the file with their numbers, as in the text of faults."""
    lines = dedented(part)[:_LINES]
    gutter = max(len(str(number)) for number, _ in lines)
    for number, line in lines:
        shown = brief(line, width - gutter - 5)
        yield ((f"  {number:>{gutter}} | {shown}".expandtabs(), "blue"),)
    if len(part.written) > _LINES:
        yield ((f"  {'':>{gutter}} | …", "blue"),)


@lru_cache(maxsize=1024)
def _section(section: Section, width: int) -> tuple[StyledLine, ...]:
    """Return the lines of a section: its result, then its steps."""
    lines: list[StyledLine] = []
    for number, line in enumerate(_wrap(section.result, width - 12)):
        style = "bold dim" if line.startswith("none") or number else "bold green"
        lines.append(((f"  {'' if number else section.name:<8}  ", "bold"), (line, style)))
    column = max([_FORMULA, *(len(one.name) + _STEP + 2 for one in section.steps)])
    before: FormulaStep | None = None
    for one in section.steps:
        lines += _step(one, before, column, width, section.unit)
        before = one
    lines += [((f"{'':{column}}{line}", "dim"),) for line in _wrap(section.note, width - column)]
    return tuple(lines)


def _step(
    step: FormulaStep, before: FormulaStep | None, column: int, width: int, unit: str
) -> Iterator[StyledLine]:
    """Yield the rule, the rule with numbers, and the result, each with an `=` before it.

    A rule that equals the rule of the step before is omitted.
    """
    name = step.name
    for sign, line in _chain(step, before, width - column, unit):
        for more, part in enumerate(folded(line, width - column)):
            start = f"{'':{_STEP}}{name:<{column - _STEP - 2}}{'' if more else sign:<2}"
            yield ((start, ""), (part, "" if sign else "cyan"))
            name = ""
    for line in _wrap(step.note, width - column) if step.rule else []:
        yield ((f"{'':{column}}{line}", "dim"),)


def _chain(
    step: FormulaStep, before: FormulaStep | None, room: int, unit: str
) -> list[tuple[str, str]]:
    """Return the lines of a step, each with its `=`. A short step is one line."""
    count = "" if step.result is None else f"{step.result:,}"
    result = f"{count}{unit}" if count else ""
    if step.shape is not None and len(step.shape) > 1:
        result += f", as {times(step.shape)}"
    if not step.rule:
        return [("", f"{result}: {step.note}" if step.result else step.note)]
    if before is not None and (before.rule, before.numbers) == (step.rule, step.numbers):
        return [("", f"as {before.name}")]
    numbers = "" if step.numbers == count else step.numbers
    links = list(dict.fromkeys(link for link in (step.rule, numbers, result) if link))
    whole = " = ".join(links)
    if len(whole) <= min(room, _CHAIN) or len(links) == 1:
        return [("", whole)]
    values = ("=", " = ".join(links[1:]))
    return [values] if before and before.rule == step.rule else [("", links[0]), values]


def folded(formula: str, room: int) -> list[str]:
    """Return a formula in lines that fit. They break at blanks or, in a long word, after dots.

    >>> folded("a·b + c·d", 6)
    ['a·b +', 'c·d']
    """
    pieces = [
        piece
        for word in re.split(r"(?<= )", formula)
        for piece in ([word] if len(word) <= room else re.split(r"(?<=·)", word))
    ]
    lines = [""]
    for piece in pieces:
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > room:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _values(part: LayerExplanation, width: int) -> Iterator[StyledLine]:
    """Yield the origins of the values, with the names in their expressions; then the defaults."""
    table, others = values(part), defaults(part)
    if table or others:
        yield (("  values", "bold"),)
    names = max((len(name) for name, _, _ in table), default=0)
    wide = max((len(value) for _, value, _ in table if len(value) <= _VALUE), default=0)
    for name, value, place in table:
        start, column = f"{'':{_STEP}}{name:<{names}}  ", _STEP + names + 2
        if len(value) > _VALUE:
            first, *rest = _wrap(value, width - column)
            yield ((f"{start}{first}", ""),)
            lines = [*rest, *_wrap(place, width - column)]
            yield from (((f"{'':{column}}{line}", ""),) for line in lines)
            continue
        column += wide + 2
        for number, line in enumerate(_wrap(place, width - column)):
            shown = f"{'':{column}}" if number else f"{start}{value:<{wide}}  "
            yield ((strip_control_codes(f"{shown}{line}"), ""),)
    for whose, fields in others.items():
        yield from _defaults(whose, tuple(fields), width)


@lru_cache(maxsize=1024)
def _defaults(whose: str, fields: tuple[str, ...], width: int) -> tuple[StyledLine, ...]:
    """Return the lines of fields with their defaults. A line breaks only between two fields."""
    pairs = (field.replace(" ", "\N{NO-BREAK SPACE}") for field in fields)
    lines = _wrap(f"{whose}: {', '.join(pairs)}", width - _STEP - 2)
    whole = (line.replace("\N{NO-BREAK SPACE}", " ") for line in lines)
    return tuple(
        ((f"{'':{_STEP + 2 * bool(number)}}{line}", "dim"),) for number, line in enumerate(whole)
    )


def _wrap(text: str, room: int) -> tuple[str, ...]:
    """Return a text in lines that fit. `textwrap` is slow, and most texts fit already."""
    if text and len(text) <= room and " ".join(text.split()) == text:
        return (text,)
    return _wrapped(text, room)


@lru_cache(maxsize=1024)
def _wrapped(text: str, room: int) -> tuple[str, ...]:
    return tuple(textwrap.wrap(text, room))
