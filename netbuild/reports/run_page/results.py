"""What a run's network says of its validation samples, as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.reports.page import escaped
from netbuild.reports.page.lines import Line, lines, tick_text, ticks
from netbuild.reports.run_page.png import address, smaller
from netbuild.reports.run_page.review import Picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.reports.run_page.review import Course, Example, Review, Scatter, Sequence

#: The most classes of a confusion matrix with numbers, and of one as a picture.
_NUMBERED, _DRAWN = 16, 300
#: The most pairs of classes that are named as often confused.
_PAIRS = 12
#: The colour of a picture of a confusion matrix: --series-1 of both themes is near.
_INK = (31, 133, 198)
#: The sides of pictures that are tried, until all have room.
_SIDES = (96, 64, 48, 32, 24)


def results(review: Review, room: int) -> Iterator[str]:
    """Yield the pieces of HTML for a review, whose pictures take at most about `room` bytes."""
    if review.note:
        yield f'<p class="note">{escaped(review.note)}</p>'
    if review.confusion:
        parts = [*_confusion(review, room)]
        room -= sum(map(len, parts))
        yield from parts
    if review.examples:
        yield f"<h3>{escaped(review.heading)}</h3>"
        yield _colours(review)
        yield _examples(review.examples, room)
    elif review.confusion and not review.sequences and _all_right(review):
        yield '<p class="muted">No sample is classified wrongly.</p>'
    if review.scatters:
        yield "<h3>Predicted against true values</h3>"
        yield f'<div class="beside">{"".join(map(_scatter, review.scatters))}</div>'
    if review.courses:
        yield "<h3>The series with the largest errors</h3>"
        yield f'<div class="beside">{"".join(map(_course, review.courses))}</div>'
    if review.sequences:
        yield "<h3>The most surprising sequences</h3>"
        yield '<p class="muted">True classes, place by place. Where one is underlined, the network '
        yield "predicts another: point at it.</p>"
        yield "".join(map(_sequence, review.sequences))


def _all_right(review: Review) -> bool:
    return all(
        not count or n == m for n, row in enumerate(review.confusion) for m, count in enumerate(row)
    )


# The confusion matrix.


def _confusion(review: Review, room: int) -> Iterator[str]:
    size = len(review.confusion)
    total = sum(map(sum, review.confusion))
    right = sum(review.confusion[n][n] for n in range(size))
    share = f"{right / total:.2%}" if total else "–"
    yield "<h3>Confusion matrix</h3>"
    many = (
        f"{total:,} samples"
        if total <= review.samples
        else f"{total:,} {'pixels' if review.colours else 'places'}"
    )
    of = f" of {review.samples:,} samples" if total > review.samples else ""
    yield (
        f'<p class="muted">{many}{of}, {share} of them right. '
        "Rows are true classes, columns are predicted classes.</p>"
    )
    if size <= _NUMBERED:
        yield f'<div class="scroll">{_numbered(review)}</div>'
        return
    heat = _heat(review) if size <= _DRAWN else ""
    parts = [heat] if len(heat) <= room // 2 else []
    yield f'<div class="beside">{"".join([*parts, _pairs(review)])}</div>'


def _numbered(review: Review) -> str:
    heads = "".join(f'<th scope="col">{escaped(name)}</th>' for name in review.classes)
    rows = []
    for n, counts in enumerate(review.confusion):
        total = sum(counts) or 1
        cells = "".join(_cell(count, count / total, right=m == n) for m, count in enumerate(counts))
        rows.append(f'<tr><th scope="row">{escaped(review.classes[n])}</th>{cells}</tr>')
    return (
        f'<table class="confusion"><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _cell(count: int, share: float, *, right: bool) -> str:
    """Return a cell: the more of its class it holds, the stronger its colour."""
    if not count:
        return '<td class="right"></td>' if right else "<td></td>"
    colour = "--series-1" if right else "--bad"
    percent = round(100 * share**0.5 * (0.55 if right else 0.75))
    mixed = f"background:color-mix(in srgb,var({colour}) {percent}%,transparent)"
    return f'<td{" class=right" if right else ""} style="{mixed}">{count:,}</td>'


def _heat(review: Review) -> str:
    """Return a large confusion matrix as a picture: the root of the share of each true class."""
    size = len(review.confusion)
    pixels = bytearray()
    for counts in review.confusion:
        total = sum(counts) or 1
        for count in counts:
            pixels += bytes((*_INK, round(255 * (count / total) ** 0.5)))
    told = address(Picture(size, size, 4, bytes(pixels)))
    return (
        f'<figure><img class="heat" src="{told}" alt="confusion matrix of {size} classes">'
        f"<figcaption>{size} classes, the first at the top left; the root of the share of each "
        "true class.</figcaption></figure>"
    )


def _pairs(review: Review) -> str:
    """Return the pairs of classes that are confused most often."""
    found = [
        (count, n, m)
        for n, counts in enumerate(review.confusion)
        for m, count in enumerate(counts)
        if n != m and count
    ]
    rows = [
        f"<tr><td>{escaped(review.classes[n])}</td><td>{escaped(review.classes[m])}</td>"
        f'<td class="number">{count:,}</td></tr>'
        for count, n, m in sorted(found, key=lambda one: -one[0])[:_PAIRS]
    ]
    if not rows:
        return ""
    head = '<tr><th>true</th><th>predicted as</th><th class="number">samples</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


# Samples.


def _colours(review: Review) -> str:
    """Return the colours of the classes in masks."""
    pairs = zip(review.colours, review.classes, strict=False)
    marks = "".join(
        f'<span><span class="swatch" style="background:{escaped(colour)}"></span>'
        f"{escaped(name)}</span>"
        for colour, name in pairs
    )
    return f'<div class="keys">{marks}</div>' if marks else ""


def _examples(given: tuple[Example, ...], room: int) -> str:
    """Return examples as figures. If their pictures are large, they are made smaller or fewer."""
    shown, side = list(given), _SIDES[0]
    for side in _SIDES:
        if sum(_weight(one, side) for one in shown) <= room:
            break
    while len(shown) > 1 and sum(_weight(one, side) for one in shown) > room:
        shown.pop()
    wide = any(len(one.pictures) > 1 or not one.pictures for one in shown)
    figures = "".join(_example(one, side) for one in shown)
    return f'<div class="examples{" wide" if wide else ""}">{figures}</div>'


def _weight(example: Example, side: int) -> int:
    return sum(len(address(smaller(one, side))) for _, one in example.pictures)


def _example(example: Example, side: int) -> str:
    pictures = "".join(
        f'<div><img src="{address(smaller(one, side))}" alt="{escaped(name or "sample")}">'
        f"{escaped(name)}</div>"
        for name, one in example.pictures
    )
    told = []
    if example.said:
        share = "" if example.share is None else f" ({example.share:.0%})"
        told.append(
            f'<span class="wrong">{escaped(example.said)}{share}</span>, '
            f"but it is <b>{escaped(example.true)}</b>"
        )
    told += [escaped(example.text)] if example.text else []
    block = f'<div class="pictures">{pictures}</div>' if pictures else ""
    return f"<figure>{block}<figcaption>{'<br>'.join(told)}</figcaption></figure>"


def _scatter(scatter: Scatter) -> str:
    """Return pairs as dots; on the line, predicted and true values are equal."""
    values = [value for pair in scatter.pairs for value in pair if value == value]  # noqa: PLR0124
    if not values:
        return ""
    low, high, side, left = min(values), max(values), 300, 48
    high = high if high > low else low + 1

    def at(value: float) -> float:
        return (value - low) / (high - low) * (side - 20) + 10

    dots = "".join(
        f'<circle cx="{left + at(true):.1f}" cy="{side - at(said):.1f}" r="2.5"/>'
        for true, said in scatter.pairs
        if true == true and said == said  # noqa: PLR0124  not NaN
    )
    marks = "".join(
        f'<text x="{left + at(t):.1f}" y="{side + 16}" text-anchor="middle">{tick_text(t)}</text>'
        f'<text x="{left - 6}" y="{side - at(t) + 4:.1f}" text-anchor="end">{tick_text(t)}</text>'
        for t in ticks(low, high, most=4)
    )
    name = escaped(scatter.name)
    return (
        f'<figure><svg width="{side + left}" height="{side + 34}" role="img" aria-label="scatter" '
        'style="font:11px var(--sans);fill:var(--muted)">'
        f'<rect x="{left}" width="{side}" height="{side}" fill="none" stroke="var(--line)"/>'
        f'<line x1="{left}" y1="{side}" x2="{left + side}" y2="0" stroke="var(--muted)" '
        'stroke-dasharray="4 3"/>'
        f'<g fill="var(--series-1)" fill-opacity=".55">{dots}</g>{marks}'
        f'<text x="{left + side / 2}" y="{side + 31}" text-anchor="middle">true</text>'
        f'<text x="{left + 6}" y="14">predicted</text></svg>'
        f"<figcaption>{name}</figcaption></figure>"
    )


def _course(course: Course) -> str:
    steps = range(1, len(course.true) + 1)
    given = [Line("true", steps, course.true), Line("predicted", steps, course.said, dashed=True)]
    return f"<figure>{lines(given, title=course.name, width=400, height=180, log=False)}</figure>"


def _sequence(sequence: Sequence) -> str:
    """Return a sequence; where the network predicts another class, it is marked."""
    words = [true for true, _ in sequence.places]
    between = "" if all(len(word) == 1 for word in words) else " "
    parts = [
        escaped(true)
        if true == said
        else f'<ins title="predicted: {escaped(said)}">{escaped(true)}</ins>'
        for true, said in sequence.places
    ]
    return f'<p class="sequence">{between.join(parts)}</p>'
