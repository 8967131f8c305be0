"""The format of explanations for a Markdown page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.reports.explanation import LayerExplanation, StackExplanation
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
    from collections.abc import Iterator, Sequence

    from netbuild.reports.explanation import Explanation
    from netbuild.reports.explanation.sections import Section


def markdown(explanation: Explanation) -> str:
    """Return an explanation as Markdown. Each part has a table of formulas and one of values."""
    blocks = [block for part in parts(explanation) for block in _blocks(part, explanation)]
    return "\n\n".join(blocks)


def _blocks(part: LayerExplanation | StackExplanation, explanation: Explanation) -> Iterator[str]:
    name, type_, shapes = heading(part, explanation)
    yield f"### `{name}` {type_}{f': {shapes}' if shapes else ''}"
    if isinstance(part, LayerExplanation):
        yield "\n".join(["```yaml", *(line.expandtabs() for _, line in dedented(part)), "```"])
        yield does(part)
    rows = [row for section in sections(part) for row in _rows(section)]
    yield _table(("", "", "formula", "with its numbers"), rows)
    if isinstance(part, LayerExplanation):
        found = [(f"`{n.strip()}`", f"`{v}`" if v else "", place) for n, v, place in values(part)]
        if found:
            yield _table(("name", "value", "from"), found)
        for whose, names in defaults(part).items():
            yield f"{whose[0].upper()}{whose[1:]}: {', '.join(f'`{name}`' for name in names)}"


def _rows(section: Section) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a section in the table: its result, then its steps."""
    yield (f"**{section.name}**", section.result, section.note, "")
    for step in section.steps:
        result = "" if step.result is None else f"{step.result:,}{section.unit}"
        links = dict.fromkeys(link for link in (step.numbers, result) if link)
        rule = f"`{step.rule}`" if step.rule else ""
        formula = ", ".join(text for text in (rule, step.note) if text)
        yield ("", step.name, formula, f"`{' = '.join(links)}`" if links else "")


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [headers, ["---"] * len(headers), *rows])
