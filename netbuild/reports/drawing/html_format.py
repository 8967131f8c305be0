"""The picture as a page: a click, or the Enter key, opens a stack and closes it again.

The boxes, the frames and the texts are data of the page. `drawing.js` places them as `placing` and
`routes` do here.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.escapes import one_line
from netbuild.reports.drawing.boxes import widest
from netbuild.reports.drawing.colours import Theme, styles
from netbuild.reports.drawing.fitting import levels
from netbuild.reports.drawing.kinds import KINDS
from netbuild.reports.drawing.picture import Artist
from netbuild.reports.drawing.svg_format import (
    MARGIN,
    faults,
    hint,
    inside,
    legend_of,
    subtitle,
)
from netbuild.reports.page import as_script_data, escaped, page

if TYPE_CHECKING:
    from netbuild.graph.value import Value
    from netbuild.reports.drawing.boxes import Box
    from netbuild.reports.drawing.picture import Opens
    from netbuild.reports.drawing.structure import Drawn, Part

#: The width of the legend of a page.
_LEGEND = 900.0


def render(drawn: Drawn, opens: Opens, theme: Theme) -> str:
    """Return the page of a network, with the stacks that are open at first."""
    kinds = _kinds(drawn.root)
    data = _Data(drawn, opens).data()
    body = [
        f"<h1>{escaped(one_line(drawn.graph.config.name))}</h1>",
        f'<p class="muted">{escaped(subtitle(drawn.graph))}</p>',
        *_fault(drawn),
        *(_buttons() if levels(drawn.root) > 1 else []),
        (
            '<div class="scroll"><svg class="netbuild" id="picture" role="group" '
            'aria-label="the layers of the network"></svg></div>'
        ),
        *_legend(kinds),
    ]
    script = f"const network={as_script_data(data)};\n{text('drawing.js')}"
    style = text("drawing.css") + _scheme(theme) + styles(theme, kinds)
    return page(drawn.graph.config.name, body, styles=style, scripts=[script])


def _scheme(theme: Theme) -> str:
    """Return the style that keeps the whole page in a theme."""
    if theme == "auto":
        return ""
    from netbuild.reports.drawing.colours import DARK, LIGHT

    p = LIGHT if theme == "light" else DARK
    return (
        f":root{{color-scheme:{theme};--paper:{p.paper};--ink:{p.ink};--muted:{p.muted};"
        f"--line:{p.line};--panel:{p.group};--bad:{p.bad}}}"
    )


def _fault(drawn: Drawn) -> list[str]:
    said = faults(drawn)
    return [f'<p class="fault-line">{escaped(said)}</p>'] if said else []


def _buttons() -> list[str]:
    return [
        (
            '<p class="screen-only buttons"><button type="button" id="expand">Expand all</button> '
            '<button type="button" id="collapse">Collapse all</button> '
            '<span class="muted">Click a stack to open it, and its head to close it.</span></p>'
        )
    ]


def _legend(kinds: list[str]) -> list[str]:
    parts, height = legend_of(kinds, _LEGEND)
    size = f'width="{_LEGEND:g}" height="{height:g}"'
    size += f' viewBox="{MARGIN:g} 0 {_LEGEND:g} {height:g}"'
    return ['<div class="scroll">', f'<svg class="netbuild" {size}>', *parts, "</svg></div>"]


def _kinds(part: Part) -> list[str]:
    found: set[str] = set()

    def add(one: Part) -> None:
        for member in one.members:
            found.add(member.kind)
            add(member)

    add(part)
    return [kind for kind in KINDS if kind in found]


class _Data:
    """The stacks of a network as data for a script. Values and stacks are numbers there."""

    def __init__(self, drawn: Drawn, opens: Opens) -> None:
        self.drawn, self.opens = drawn, opens
        self.artist = Artist(drawn)
        self.values: dict[Value, int] = {}
        self.stacks: list[dict[str, Any]] = []

    def data(self) -> dict[str, Any]:
        """Return all stacks; the first is the network."""
        self._stack(self.drawn.root, 0)
        return {"stacks": self.stacks}

    def _value(self, value: Value) -> int:
        return self.values.setdefault(value, len(self.values))

    def _stack(self, part: Part, level: int) -> int:
        """Add a stack and the stacks in it, and return its number."""
        number = len(self.stacks)
        found: dict[str, Any] = {}
        self.stacks.append(found)
        shaped = self.artist.shaped(part)
        frame = shaped.frame
        found["open"] = self.opens(part, level)
        found["reads"] = [self._value(value) for value in part.reads]
        found["gives"] = [self._value(value) for value in part.gives]
        found["nodes"] = [[node.what, node.rank, node.number] for node in frame.nodes]
        found["ranks"] = frame.ranks
        found["bus"] = frame.bus
        found["edges"] = [
            [self._value(edge.value), edge.nodes, int(edge.skips)] for edge in frame.edges
        ]
        found["labels"] = {
            self._value(value): [escaped(label), round(widest(label, "wire"), 2)]
            for value, label in shaped.labels.items()
        }
        found["parts"] = {
            n: self._part(part.members[frame.nodes[n].number], box, level)
            for n, box in shaped.boxes.items()
        }
        return number

    def _part(self, part: Part, box: Box, level: int) -> dict[str, Any]:
        found: dict[str, Any] = {
            "path": escaped(one_line(part.path)),
            "kind": part.kind,
            "size": [round(box.width, 2), box.height],
            "inside": hint(part, self.drawn)
            + "".join(inside(box, part, box.height, is_open=False)),
        }
        if part.repeats > 1:
            found["count"] = part.repeats
        if part.reuses:
            found["shared"] = 1
        if part.members:
            head = self.artist.shaped(part).head
            found["head"] = [
                round(head.width, 2),
                hint(part, self.drawn) + "".join(inside(head, part, head.height, is_open=True)),
            ]
            found["stack"] = self._stack(part, level + 1)
        return found


@cache
def text(name: str) -> str:
    """Return the text of a file beside this module."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
