"""The page of runs as one HTML file, which loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.config.metrics import measured_keys
from netbuild.reports.comparison.listing import best_of, sentence
from netbuild.reports.comparison.settings import differing
from netbuild.reports.page import escaped, page
from netbuild.reports.run_page import curves, tables
from netbuild.reports.run_page.network import picture
from netbuild.reports.run_page.results import results

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netbuild.graph.graph import Graph
    from netbuild.reports.comparison.settings import Setting
    from netbuild.reports.run_page.review import Review
    from netbuild.runs.records import Record

#: The bytes that the pictures of all samples may take: a page has less than 500 KB.
_PICTURES = 130_000


#: The bytes that the drawings may take together, and the characters of the complete settings.
_DRAWINGS, _CONFIGS = 70_000, 30_000


class Shown(NamedTuple):
    """A run on a page: its record, its settings as text, its network, and its review.

    Without a review, the page has no samples of the run. `graph` is None if the settings have
    faults.
    """

    record: Record
    config: str
    graph: Graph | None
    review: Review | None


def document(shown: Sequence[Shown], *, note: str = "", refresh: int | None = None) -> str:
    """Return the page of some runs.

    Args:
        shown: the runs, in their order on the page.
        note: a sentence at the top, as plain text.
        refresh: after how many seconds a browser loads the page again; None for a whole page.
    """
    records = [one.record for one in shown]
    names, settings, best = _names(records), differing(records), best_of(records)
    labels = _labels(names, settings)
    made = curves.charts(records, labels)
    title = _title(records)
    body = [_STATIC, f"<h1>{escaped(title)}</h1>", *_lead(records, settings, best, note)]
    body += [tables.runs(records, names, settings, best), *_problems(records)]
    body += ["<h2>Curves</h2>", *_keys(labels)] if made else []
    body += curves.html(made) if made else ['<p class="note">No epoch has ended yet.</p>']
    body += ["<h2>Metrics</h2>", tables.outcomes(records, labels, _rises(shown))]
    body += [*_samples(shown, labels, best), *_networks(shown, labels)]
    body += ["<h2>Settings</h2>", *_settings(shown, labels, settings)]
    body += ["<h2>Environment</h2>", tables.environments(records, labels)]
    body += ["<h2>Command</h2>", *tables.commands(records, labels)]
    scripts = curves.scripts() if made else []
    return page(title, body, styles=curves.styles(), scripts=scripts, refresh=refresh)


#: Without scripts, the charts of print are shown.
_STATIC = "<noscript><style>.static{display:block}.live{display:none}</style></noscript>"


def _title(records: Sequence[Record]) -> str:
    names = [*dict.fromkeys(record.name for record in records)]
    if len(records) == 1:
        return f"{names[0]}/{records[0].folder.resolve().name}"
    return f"{', '.join(names)}: {len(records)} runs"


def _names(records: Sequence[Record]) -> list[str]:
    """Return a name for each run: its folder, with the folder above it if that tells it apart."""
    folders = [record.folder.resolve() for record in records]
    several = len({folder.parent for folder in folders}) > 1
    return [f"{f.parent.name}/{f.name}" if several else f.name for f in folders]


def _labels(names: Sequence[str], settings: Sequence[Setting]) -> list[str]:
    """Return short labels: the one or two settings that tell all runs apart, or else the names."""
    for count in (1, 2):
        chosen = settings[:count]
        labels = [
            ", ".join(f"{s.name} {s.texts[n]}" for s in chosen if s.texts[n])
            for n in range(len(names))
        ]
        if len(chosen) == count and len({*labels}) == len(names) and all(labels):
            return labels
    return list(names)


def _lead(
    records: Sequence[Record], settings: Sequence[Setting], best: int | None, note: str
) -> Iterator[str]:
    """Yield the sentences at the top."""
    if note:
        yield f'<p class="note">{escaped(note)}</p>'
    if best is not None:
        told = sentence(records[best], settings, best)
        yield f'<p class="muted">{escaped(told[:1].upper() + told[1:])}</p>'
    elif len(records) == 1:
        record = records[0]
        started = str(record.environment.get("started", "")).replace("T", " ")[:16]
        said = f"{record.state}" + (f", started {started}" if started else "")
        yield f'<p class="muted">{escaped(said)}</p>'


def _problems(records: Sequence[Record]) -> Iterator[str]:
    for record in records:
        if record.problem:
            yield f'<p class="note">{escaped(f"{record.folder.name}: {record.problem}")}</p>'


def _keys(labels: Sequence[str]) -> Iterator[str]:
    """Yield the key of the colours and of the two kinds of lines."""
    kinds = '<span><span class="legend-line dashed"></span>training</span>'
    kinds += '<span><span class="legend-line"></span>validation</span>'
    runs = "".join(
        f"<span>{curves.swatch(n)}{escaped(label)}</span>" for n, label in enumerate(labels)
    )
    how = '<span class="muted screen-only">drag to zoom, double-click for the whole</span>'
    yield f'<div class="keys">{runs if len(labels) > 1 else ""}{kinds}{how}</div>'


def _rises(shown: Sequence[Shown]) -> dict[str, bool]:
    """Return whether a larger value of each metric is better, as far as it is known."""
    found: dict[str, bool] = {}
    for one in shown:
        if one.graph is not None:
            known = measured_keys(one.graph.config)
            found |= {name: up for name, up in known.items() if up is not None}
    return found


def _samples(shown: Sequence[Shown], labels: Sequence[str], best: int | None) -> Iterator[str]:
    """Yield what the networks say of their validation samples; the best run is unfolded."""
    reviewed = [(n, one.review) for n, one in enumerate(shown) if one.review is not None]
    if not reviewed:
        return
    yield "<h2>Validation samples</h2>"
    room = _PICTURES // len(reviewed)
    for n, review in reviewed:
        inner = "".join(results(review, room))
        if len(shown) == 1:
            yield inner
            continue
        opened = " open" if n == (best or 0) else ""
        name = f"{curves.swatch(n)}{escaped(labels[n])}{_right(review)}"
        yield f"<details{opened}><summary>{name}</summary>{inner}</details>"


def _right(review: Review) -> str:
    """Return the share of samples that are classified rightly, for a heading."""
    total = sum(map(sum, review.confusion))
    right = sum(counts[n] for n, counts in enumerate(review.confusion))
    return f' <span class="muted">{right / total:.2%} right</span>' if total else ""


def _networks(shown: Sequence[Shown], labels: Sequence[str]) -> Iterator[str]:
    """Yield the drawing of each network, once for runs of the same network."""
    drawn: dict[str, list[int]] = {}
    room = _DRAWINGS
    for n, one in enumerate(shown):
        svg = picture(one.graph, min(room, _DRAWINGS // 2)) if one.graph is not None else ""
        if svg:
            room -= len(svg.encode()) if svg not in drawn else 0
            drawn.setdefault(svg, []).append(n)
    if not drawn:
        return
    yield "<h2>Network</h2>"
    for svg, numbers in drawn.items():
        whose = ", ".join(labels[n] for n in numbers) if len(drawn) > 1 else ""
        caption = f"<figcaption>{escaped(whose)}</figcaption>" if whose else ""
        yield f'<figure class="network">{svg}{caption}</figure>'


def _settings(
    shown: Sequence[Shown], labels: Sequence[str], settings: Sequence[Setting]
) -> Iterator[str]:
    """Yield the settings: those that differ, and the complete config of each run."""
    if settings:
        yield tables.differences(settings, labels)
    elif len(shown) > 1:
        yield "<p>The settings of all runs are the same.</p>"
    texts, room = [one.config for one in shown], _CONFIGS
    kept: list[str] = []
    for text in texts:
        room -= len(text) if text != texts[0] or not kept else 0
        kept.append(text if room >= 0 else "")
    if not all(kept) and any(texts):
        yield '<p class="note">Long settings are left out.</p>'
    yield from tables.configs(kept, labels)
