"""Explanations for a terminal."""

from __future__ import annotations

import re
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.text import Text

from netbuild.diagnostic import brief
from netbuild.explanation import Explained
from netbuild.layers.layer import times
from netbuild.render.explanation.sections import (
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

    from netbuild.explanation import Explanation, Summed
    from netbuild.explanation.step import Step
    from netbuild.render.explanation.sections import Section

#: Longer lines are harder to read, however wide the terminal.
WIDTH = 100
#: Where the names of steps begin, and the least column of their formulas.
_STEP, _FORMULA = 4, 14
#: The longest chain of equations that stands in one line.
_CHAIN = 60
#: A value longer than this does not widen the column of values.
_VALUE = 16
#: The most lines of a file that are shown of a layer.
_LINES = 8


def text(explanation: Explanation, width: int = WIDTH) -> Text:
    """Return an explanation for a terminal, nothing of it wider than `width`."""
    width = min(max(width, 40), WIDTH)
    texts = []
    for part in parts(explanation):
        lines = [_title(part, explanation, width)]
        if isinstance(part, Explained):
            about = (Text(f"  {line}", "italic") for line in wrap(does(part), width - 2))
            lines += [Text(), *_written(part, width), Text(), *about, Text()]
        for section in sections(part):
            lines += _section(section, width)
        if isinstance(part, Explained):
            lines += _values(part, width)
        texts.append(Text("\n").join(lines))
    return Text("\n\n").join(texts)


def _title(part: Explained | Summed, explanation: Explanation, width: int) -> Text:
    name, type_, shapes = heading(part, explanation)
    line = Text(name, "bold").append(f"  {type_} ", "bold cyan")
    rule = width - len(line) - len(shapes) - 1
    if rule < 3:  # the shapes are said below as well
        return line
    return line.append("─" * rule, "dim").append(f" {shapes}" if shapes else "─", "bold")


def _written(part: Explained, width: int) -> Iterator[Text]:
    """Yield the lines of the file with their numbers, as faults show them."""
    lines = dedented(part)[:_LINES]
    gutter = max(len(str(number)) for number, _ in lines)
    for number, line in lines:
        shown = brief(line, width - gutter - 5)
        yield Text(f"  {number:>{gutter}} | ", "blue").append(shown)
    if len(part.written) > _LINES:
        yield Text(f"  {'':>{gutter}} | …", "blue")


def _section(section: Section, width: int) -> Iterator[Text]:
    """Yield a section: its number, and below it how that comes about."""
    room = width - 12
    for number, line in enumerate(wrap(section.result, room)):
        style = "dim" if line.startswith("none") or number else "bold green"
        yield Text(f"  {'' if number else section.name:<8}  ", "bold").append(line, style)
    column = max([_FORMULA, *(len(one.name) + _STEP + 2 for one in section.steps)])
    before: Step | None = None
    for one in section.steps:
        yield from _step(one, before, column, width, section.unit)
        before = one
    for line in wrap(section.note, width - column):
        yield Text(f"{'':{column}}{line}", "dim")


def _step(step: Step, before: Step | None, column: int, width: int, unit: str) -> Iterator[Text]:
    """Yield a formula, the formula with its numbers, and the result, an `=` before each.

    What the step before has said is not said again.
    """
    name = step.name
    for sign, line in _chain(step, before, width - column, unit):
        for more, part in enumerate(folded(line, width - column)):
            start = f"{'':{_STEP}}{name:<{column - _STEP - 2}}{'' if more else sign:<2}"
            yield Text(start).append(part, "" if sign else "cyan")
            name = ""
    for line in wrap(step.note, width - column) if step.rule else []:
        yield Text(f"{'':{column}}{line}", "dim")


def _chain(step: Step, before: Step | None, room: int, unit: str) -> list[tuple[str, str]]:
    """Return the lines of a step, each with the `=` before it; one, where all of it fits."""
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
    behind = ("=", " = ".join(links[1:]))
    return [behind] if before and before.rule == step.rule else [("", links[0]), behind]


def folded(formula: str, room: int) -> list[str]:
    """Return a formula in lines that fit, broken at blanks, and behind dots where it has to be.

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


def _values(part: Explained, width: int) -> Iterator[Text]:
    """Yield where the values come from: a tree of the names in expressions, then the defaults."""
    table, others = values(part), defaults(part)
    if table or others:
        yield Text("  values", "bold")
    names = max((len(name) for name, _, _ in table), default=0)
    wide = max((len(value) for _, value, _ in table if len(value) <= _VALUE), default=0)
    for name, value, place in table:
        start, column = f"{'':{_STEP}}{name:<{names}}  ", _STEP + names + 2
        if len(value) > _VALUE:
            first, *rest = wrap(value, width - column)
            yield Text(f"{start}{first}")
            yield from (Text(f"{'':{column}}{more}") for more in rest)
            yield from (Text(f"{'':{column}}{line}") for line in wrap(place, width - column))
            continue
        column += wide + 2
        for number, line in enumerate(wrap(place, width - column)):
            yield Text(f"{'':{column}}" if number else f"{start}{value:<{wide}}  ").append(line)
    for whose, fields in others.items():
        pairs = (field.replace(" ", "\N{NO-BREAK SPACE}") for field in fields)
        for number, line in enumerate(_wrapped(f"{whose}: {', '.join(pairs)}", width - _STEP - 2)):
            yield Text(f"{'':{_STEP + 2 * bool(number)}}{line}", "dim")


def _wrapped(line: str, width: int) -> list[str]:
    """Return a text in lines that are not broken at its no-break spaces."""
    return [part.replace("\N{NO-BREAK SPACE}", " ") for part in wrap(line, width)]
