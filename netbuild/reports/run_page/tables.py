"""The tables of a page: the runs, what they have measured, their settings and environments."""

from __future__ import annotations

import math
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from netbuild.reports.comparison.outcome import command, measured, surroundings
from netbuild.reports.page import escaped
from netbuild.reports.run_page.curves import swatch
from netbuild.reports.runs import duration, shown_value
from netbuild.runs.numbers import is_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netbuild.reports.comparison.outcome import Outcome
    from netbuild.reports.comparison.settings import Setting
    from netbuild.runs.records import Record

#: The most settings that are columns of the table of runs.
_COLUMNS = 4


def runs(
    records: Sequence[Record], names: Sequence[str], settings: Sequence[Setting], best: int | None
) -> str:
    """Return the table of the runs, with the settings that differ."""
    shown = settings[:_COLUMNS]
    monitors = {record.monitor for record in records}
    keys = [*dict.fromkeys(["val_loss", *sorted(monitors), *(f"val_{r.metric}" for r in records)])]
    keys = [key for key in keys if any(key in (record.best or {}) for record in records)]
    heads = ["run", *(s.path for s in shown), "epochs", "best epoch", *(_spaced(k) for k in keys)]
    rows = []
    for n, record in enumerate(records):
        found = record.best or {}
        state = "" if record.state == "finished" else f' <span class="state">{record.state}</span>'
        star = ' <span class="mark">best</span>' if n == best else ""
        cells = [f"<td>{swatch(n)}{escaped(names[n])}{star}{state}</td>"]
        of = "?" if record.of is None else record.of
        texts = [
            *(s.texts[n] for s in shown),
            f"{record.epochs}/{of}",
            str(found.get("epoch", "")),
            *(shown_value(k, found[k]) if k in found else "" for k in keys),
            duration(record.seconds),
        ]
        cells += [f'<td class="number">{escaped(text)}</td>' for text in texts]
        rows.append(f"<tr{' class=best' if n == best else ''}>{''.join(cells)}</tr>")
    head = "".join(
        f"<th{' class=number' if number else ''}>{escaped(name)}</th>"
        for number, name in enumerate([*heads, "time"])
    )
    return _table("runs", head, rows)


def outcomes(records: Sequence[Record], names: Sequence[str], rises: Mapping[str, bool]) -> str:
    """Return the metrics of the best and the last epoch; the best value of each is bold."""
    every = measured(records)
    rows = [_row(outcome, _bests(outcome, rises)) for outcome in every]
    return _table("outcomes", f"<th></th>{_heads(names)}", rows)


def _bests(outcome: Outcome, rises: Mapping[str, bool]) -> set[int]:
    """Return the positions of the best values of a metric; none if all are equal."""
    name, comma, _ = outcome.name.partition(",")
    key = name.replace(" ", "_")
    known = [v for v in outcome.values if is_number(v) and math.isfinite(v)]
    if not comma or len({*known}) < 2 or key not in rises:
        return set()
    best = max(known) if rises[key] else min(known)
    return {n for n, value in enumerate(outcome.values) if value == best}


def differences(settings: Sequence[Setting], names: Sequence[str]) -> str:
    """Return the table of all settings that differ."""
    rows = [
        "<tr><td>{}</td>{}</tr>".format(
            escaped(s.path), "".join(f"<td>{escaped(text)}</td>" for text in s.texts)
        )
        for s in settings
    ]
    return _table("differs", f"<th>setting</th>{_heads(names, number=False)}", rows)


def environments(records: Sequence[Record], names: Sequence[str]) -> str:
    """Return the table of the environments. Values that differ are marked."""
    every = surroundings(records, every=True)
    started = [str(record.environment.get("started", "")).replace("T", " ") for record in records]
    rows = []
    for one in every:
        if len({*one.texts}) > 1:
            told = "".join(f"<td><mark>{escaped(text)}</mark></td>" for text in one.texts)
        else:
            told = f'<td colspan="{len(records)}">{escaped(one.texts[0])}</td>'
        rows.append(f"<tr><td>{escaped(one.name)}</td>{told}</tr>")
    cells = "".join(f"<td>{escaped(time)}</td>" for time in started)
    rows.append(f"<tr><td>started</td>{cells}</tr>")
    return _table("environment", f"<th></th>{_heads(names, number=False)}", rows)


def commands(records: Sequence[Record], names: Sequence[str]) -> Iterator[str]:
    """Yield the command that has started each run."""
    for n, record in enumerate(records):
        said = command(record) or "The run does not tell its command."
        name = f"<div>{swatch(n)}{escaped(names[n])}</div>" if len(records) > 1 else ""
        yield f'<div class="commands">{name}<pre>{escaped(said)}</pre></div>'


def configs(texts: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """Yield the complete config of each run; lines that differ from the first run's are marked."""
    first = texts[0].splitlines() if texts else []
    for n, text in enumerate(texts):
        if not text:
            continue
        if n and text == texts[0]:
            yield f"<p>{swatch(n)}{escaped(names[n])}: the same settings</p>"
            continue
        lines = text.splitlines()
        marked = set() if n == 0 else _changed(first, lines)
        others = [one.splitlines() for one in texts[1:] if one] if n == 0 else []
        for other in others:
            marked |= _changed(other, lines)
        told = "\n".join(
            f"<mark>{escaped(line)}</mark>" if number in marked else escaped(line)
            for number, line in enumerate(lines)
        )
        name = f"{swatch(n)}{escaped(names[n])}" if len(texts) > 1 else "the complete settings"
        opened = " open" if len(texts) == 1 else ""
        yield f"<details{opened}><summary>{name}</summary>"
        yield f'<pre class="config">{told}</pre></details>'


def _changed(before: list[str], after: list[str]) -> set[int]:
    """Return the numbers of the lines of `after` that `before` does not have."""
    matcher = SequenceMatcher(a=before, b=after, autojunk=False)
    parts = (op for op in matcher.get_opcodes() if op[0] != "equal")
    return {number for _, _, _, start, end in parts for number in range(start, end)}


def _row(outcome: Outcome, best: set[int]) -> str:
    cells = "".join(
        f'<td class="number{" best" if n in best else ""}">{escaped(text)}</td>'
        for n, text in enumerate(outcome.texts)
    )
    return f"<tr><td>{escaped(outcome.name)}</td>{cells}</tr>"


def _heads(names: Sequence[str], *, number: bool = True) -> str:
    kind = " class=number" if number else ""
    marks = [swatch(n) if len(names) > 1 else "" for n in range(len(names))]
    return "".join(f"<th{kind}>{m}{escaped(n)}</th>" for m, n in zip(marks, names, strict=True))


def _spaced(key: str) -> str:
    return key.replace("_", " ", 1).replace("_", " ")


def _table(kind: str, head: str, rows: Sequence[str]) -> str:
    return (
        f'<div class="scroll"><table class="{kind}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
