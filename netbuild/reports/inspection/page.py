"""A look as one HTML page: the input, what each layer makes of it, and the numbers."""

from __future__ import annotations

import math
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from netbuild.components.tensor import times
from netbuild.reports import page as pages
from netbuild.reports.inspection import figures, raster
from netbuild.reports.inspection.numbers import cells, fixed, percent, short
from netbuild.reports.page import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.reports.inspection.look import LayerLook, Look, Pictures, Values

#: The most layers whose feature maps are shown, and the most attentions.
MAPS, ATTENTIONS = 40, 18
#: The most heads of an attention; half as many if they see more positions than `SMALL`.
HEADS, SMALL = 16, 64
#: The most classes of an output that are shown.
_CLASSES = 10


def page(look: Look) -> str:
    """Return the page of a look. It loads nothing."""
    pictures = look.pictures
    assert pictures is not None, "a page needs pictures"
    by_path = {one.path: one for one in look.layers}
    said = f"{escaped(look.place)}, {escaped(look.weights)}<br>{escaped(look.sample)}"
    body = [
        f"<h1>{escaped(look.name)}</h1>",
        f'<p class="muted">{said}{_first(look)}</p>',
        *_marks(look),
        *_ends(pictures),
        *_filters(pictures, by_path),
        *_maps(pictures, by_path),
        *_attention(pictures, by_path),
        *_layers(look),
        *_modes(look),
        *_gradients(look),
        *(f'<p class="muted">{escaped(note)}</p>' for note in look.notes),
    ]
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    return pages.page(f"{look.name}: {look.sample}", body, styles=style)


def _first(look: Look) -> str:
    return ". The pictures show the first of them" if look.samples > 1 else ""


def _marks(look: Look) -> Iterator[str]:
    groups: dict[tuple[str, str], list[str]] = {}
    for mark in look.marks:
        said = f"<li><code>{escaped(mark.path)}</code>: {escaped(mark.text)}</li>"
        groups.setdefault((mark.kind, mark.advice), []).append(said)
    for (kind, advice), items in groups.items():
        said = f"<b>{escaped(kind)}</b><ul>{''.join(items)}</ul>{escaped(advice)}"
        yield f'<div class="mark">{said}</div>'


def _ends(pictures: Pictures) -> Iterator[str]:
    """Yield the inputs, the targets and the outputs."""
    made = [figures.shown(name, x) for name, x in pictures.inputs.items()]
    for name, x in pictures.targets.items():
        title = name if name == "target" else f"target {name}"
        if x.ndim == 0:
            known = pictures.classes if pictures.scores else None
            named = f", {known[int(x)]}" if known and 0 <= int(x) < len(known) else ""
            said = f"{short(float(x))}{named}"
            made.append(figures.figure(title, f'<p class="number">{escaped(said)}</p>'))
        else:
            made.append(figures.shown(title, x))
    for name, x in pictures.outputs.items():
        made.append(_output(pictures, name, x))
    yield f'<h2>From the input to the output</h2><div class="side">{"".join(made)}</div>'


def _output(pictures: Pictures, name: str, x: Any) -> str:
    """Return an output: probabilities of classes, a mask of classes, or what it is."""
    if pictures.scores and x.ndim == 1 and len(x) > 1 and np.isfinite(x).all():
        shares = np.exp(x - x.max())
        shares = shares / shares.sum()
        order = np.argsort(-shares, kind="stable")[:_CLASSES]
        names = pictures.classes if pictures.classes and len(pictures.classes) == len(x) else None
        rows = [(f"{n} {names[n]}" if names else str(n), float(shares[n])) for n in sorted(order)]
        few = f", the likeliest {_CLASSES} of {len(x)}" if len(x) > _CLASSES else ""
        return figures.figure(f"{name}: softmax{few}", figures.bars(rows, share=True))
    if pictures.scores and x.ndim == 3 and x.shape[0] > 1:
        made = figures.mask(x.argmax(0), name, pictures.classes)
        return figures.figure(f"{name}: the likeliest of {len(x)} classes", *made)
    return figures.shown(name, x)


def _titled(path: str, by_path: Mapping[str, LayerLook]) -> str:
    """Return the path of a layer, its type and its shape."""
    one = by_path.get(path)
    if one is None:
        return path
    shape = f", {times(one.values.shape[1:])}" if one.values else ""
    return f"{path} {one.type}{shape}"


def _filters(pictures: Pictures, by_path: Mapping[str, LayerLook]) -> Iterator[str]:
    found = {path: x for path, x in pictures.filters.items() if path in by_path}
    if not found:
        return
    yield "<h2>Filters of the first convolutions</h2>"
    for path, x in found.items():
        if x.shape[1] == 3:
            size = float(np.abs(x).max()) or 1.0
            made = raster.tiles([raster.photograph(one / size / 2 + 0.5) for one in x], 16)
            zoom = figures.zoom_for(x.shape[2:], 48)
            body, caption = figures.image(made, zoom, path), "red, green and blue; grey is 0"
        else:
            flat = x.reshape(-1, *x.shape[2:])[:64]
            body, caption = figures.maps(flat, path, 48, 16)
        yield figures.figure(f"{path}: {len(x)} filters of {times(x.shape[1:])}", body, caption)


def _maps(pictures: Pictures, by_path: Mapping[str, LayerLook]) -> Iterator[str]:
    paths = [path for path in pictures.maps if path in by_path]
    if not paths:
        return
    yield "<h2>What the layers give</h2>"
    if len(paths) > MAPS:
        yield _left_out(MAPS, len(paths))
        paths = list(_some(dict.fromkeys(paths), MAPS))
    made = []
    for path in paths:
        x = pictures.maps[path]
        body, caption = figures.maps(x, path) if x.ndim == 3 else figures.grid(x, path)
        shape = by_path[path].values
        if x.ndim == 3 and shape and shape.shape[1] > len(x):
            caption = f"the first {len(x)} channels {caption}"
        made.append(figures.figure(_titled(path, by_path), body, caption))
    yield f'<div class="side">{"".join(made)}</div>'


def _left_out(shown: int, count: int) -> str:
    return f'<p class="muted">{shown} of {count} layers; --layer PATTERN chooses others.</p>'


def _some(found: Mapping[str, Any], most: int) -> dict[str, Any]:
    """Return some items, equally far from each other, with the first and the last one."""
    paths = list(found)
    if len(paths) > most:
        paths = [paths[round(n * (len(paths) - 1) / (most - 1))] for n in range(most)]
    return {path: found[path] for path in paths}


def _attention(pictures: Pictures, by_path: Mapping[str, LayerLook]) -> Iterator[str]:
    known = {
        path: x
        for path, x in pictures.attention.items()
        if any(path == one or path.startswith(f"{one}.") for one in by_path)
    }
    if not known:
        return
    yield (
        "<h2>Attention</h2><p class='muted'>Each row is a position that looks, each column a "
        "position that it looks at. The weights of a row add up to 1.</p>"
    )
    small = all(max(x.shape[1:]) <= SMALL for x in known.values())
    layers, most = (ATTENTIONS, HEADS) if small else (ATTENTIONS // 3, HEADS // 2)
    if len(known) > layers:
        yield _left_out(layers, len(known))
    for path, x in _some(known, layers).items():
        by = raster.scale(np.append(x, 0.0))
        heads = []
        for number, one in enumerate(x[:most]):
            zoom = figures.zoom_for(one.shape, 150)
            body = figures.image(raster.coloured(one, by), zoom, f"{path}, head {number}", by)
            heads.append(f"<figure>{body}<figcaption>head {number}</figcaption></figure>")
        title = f"{path}, {times(x.shape[1:])}"
        body = f'<div class="heads">{"".join(heads)}</div>'
        yield figures.figure(title, body, figures.legend(by))


def _layers(look: Look) -> Iterator[str]:
    yield "<h2>Values</h2>"
    if look.differs:
        yield (
            '<p class="muted"><span class="train">training</span> and <span class="eval">evaluation'
            "</span> where they differ</p>"
        )
    heads = ("layer", "type", "output", "", "mean", "deviation", "least", "largest", "zeros")
    head = "".join(f"<th>{one}</th>" for one in (*heads, "values"))
    rows = [_row(name, "input", (("", v),)) for name, v in look.inputs.items()]
    for one in look.layers:
        if one.differs and one.training and one.evaluation:
            modes: tuple[tuple[str, Values | None], ...]
            modes = (("train", one.training), ("eval", one.evaluation))
        else:
            modes = (("", one.values),)
        rows.append(_row(one.path, one.type, modes))
    yield f'<div class="scroll"><table class="layers"><tr>{head}</tr>{"".join(rows)}</table></div>'


def _row(path: str, type_: str, modes: tuple[tuple[str, Values | None], ...]) -> str:
    rows = []
    for number, (mode, values) in enumerate(modes):
        kind = "" if len(modes) == 1 else ' class="first"' if number == 0 else ' class="second"'
        head = "<td></td><td></td><td></td>"
        if number == 0:
            shape = times(values.shape[1:]) or "1" if values else "not computed"
            named = f"<td><code>{escaped(path)}</code></td><td>{escaped(type_)}</td>"
            head = f"{named}<td class='number'>{shape}</td>"
        numbers = ""
        if values is not None:
            said = [*cells(values), percent(values.zeros)]
            if values.nonfinite:
                said[-1] += f"; {percent(values.nonfinite)} not finite"
            numbers = "".join(f"<td class='number'>{cell}</td>" for cell in said)
        drawn = ""
        if number == 0:
            known = [(mode or "eval", v) for mode, v in reversed(modes) if v is not None]
            drawn = f"<td rowspan='{len(modes)}'>{figures.histogram(known)}</td>"
        label = f"<td class='{mode}'>{mode}</td>"
        rows.append(f"<tr{kind}>{head}{label}{numbers}{drawn}</tr>")
    return "".join(rows)


def _modes(look: Look) -> Iterator[str]:
    switching = [one for one in look.layers if one.modes is not None]
    if not switching:
        return
    yield "<h2>What training computes otherwise</h2>"
    seen: set[tuple[str, str]] = set()
    for one in switching:
        assert one.modes is not None
        key = one.type, one.modes.training
        said = ""
        if key not in seen:
            seen.add(key)
            said = (
                f"<h3>{escaped(one.type)}</h3><p><b class='train'>training</b> "
                f"{escaped(one.modes.training)}<br><b class='eval'>evaluation</b> "
                f"{escaped(one.modes.evaluation)}</p>"
            )
        if one.numbers is not None and any(one.numbers):
            both = "; ".join(filter(None, one.numbers))
            said += f"<p><code>{escaped(one.path)}</code>: {escaped(both)}</p>"
        yield said


def _gradients(look: Look) -> Iterator[str]:
    if look.objective is None:
        return
    value = "" if look.loss is None else f", {short(look.loss)}"
    yield f"<h2>Gradients of {escaped(look.objective)}{value}</h2>"
    yield (
        '<p class="muted">Norms: of the gradient at the result, of the gradient of each weight, '
        "and of the weight itself. The bars have a logarithmic scale: their length is the power "
        "of 10.</p>"
    )
    known = [one.gradient for one in look.layers if one.gradient and math.isfinite(one.gradient)]
    top, low = (math.log10(max(known)), math.log10(min(known))) if known else (0.0, 0.0)
    low = min(low, top - 3) - 0.5
    rows = []
    for one in look.layers:
        if one.gradient is None and not one.weights:
            continue
        bar = ""
        if one.gradient and math.isfinite(one.gradient):
            part = (math.log10(one.gradient) - low) / (top - low) * 100
            bar = f'<span class="size"><i style="width:{part:.0f}%"></i></span>'
        weights = "<br>".join(
            f"{escaped(name)}: {'–' if w.gradient is None else fixed(w.gradient)} "
            f"of {fixed(w.norm)}"
            for name, w in one.weights.items()
        )
        at = "" if one.gradient is None else fixed(one.gradient)
        rows.append(
            f"<tr><td><code>{escaped(one.path)}</code></td><td>{escaped(one.type)}</td>"
            f"<td class='number'>{at}</td><td>{bar}</td><td class='number'>{weights}</td></tr>"
        )
    heads = "".join(
        f"<th>{h}</th>" for h in ("layer", "type", "at the result", "", "weights: gradient of norm")
    )
    yield f'<div class="scroll"><table class="layers"><tr>{heads}</tr>{"".join(rows)}</table></div>'
