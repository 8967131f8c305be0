"""A network as a Mermaid flow chart, for Markdown files that are shown with its pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.tensor import times
from netbuild.diagnostics.escapes import one_line
from netbuild.reports.drawing.colours import LIGHT, mixed
from netbuild.reports.drawing.frames import frame_of
from netbuild.reports.drawing.labels import label_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.reports.drawing.picture import Opens
    from netbuild.reports.drawing.structure import Drawn, Part

#: The brackets of the nodes: inputs and outputs are round.
_ROUND, _SQUARE = ("([", "])"), ("[", "]")


def render(drawn: Drawn, opens: Opens) -> str:
    """Return a flow chart of the network, with an open stack as a subgraph."""
    chart = _Chart(drawn, opens)
    lines = ["---", f"title: {_title(drawn.graph.config.name)}", "---", "flowchart TD"]
    lines += chart.stack(drawn.root, "n", 0, {})
    for kind in sorted(chart.kinds):
        colour = LIGHT.kinds[kind]
        fill = mixed(colour, LIGHT.paper, 0.15)
        lines.append(f"  classDef {kind} fill:{fill},stroke:{colour},color:{LIGHT.ink}")
    return "\n".join(lines) + "\n"


class _Chart:
    """Names the nodes: names of layers are texts in it, and never part of its syntax."""

    def __init__(self, drawn: Drawn, opens: Opens) -> None:
        self.drawn, self.opens = drawn, opens
        self.kinds: set[str] = set()

    def stack(
        self, part: Part, key: str, level: int, ends: dict[str, tuple[str, str]]
    ) -> Iterator[str]:
        """Yield the lines of the parts of a stack, and of the lines between them.

        `ends` gets the names of the first and of the last node of each stack that is open.
        """
        indent = "  " * (level + 1)
        for number, member in enumerate(part.members):
            name = f"{key}{number}"
            if member.members and self.opens(member, level + 1):
                yield f'{indent}subgraph {name}["{self._head(member)}"]'
                yield f"{indent}  direction TB"
                yield from self.stack(member, f"{name}_", level + 1, ends)
                yield f"{indent}end"
            else:
                self.kinds.add(member.kind)
                left, right = _ROUND if member.kind in {"input", "output"} else _SQUARE
                yield f'{indent}{name}{left}"{self._text(member)}"{right}:::{member.kind}'
        yield from (f"{indent}{line}" for line in self._lines(part, key))

    def _lines(self, part: Part, key: str) -> Iterator[str]:
        frame = frame_of(part)
        for edge in frame.edges:
            source, reader = (frame.nodes[n] for n in (edge.nodes[0], edge.nodes[-1]))
            if source.what != "part" or reader.what != "part":
                continue  # the line of the subgraph stands for it
            tensor = self.drawn.tensors.get(edge.value)
            shape = f'|"{times(tensor.shape)}"|' if tensor else ""
            yield f"{key}{source.number} -->{shape} {key}{reader.number}"

    def _head(self, part: Part) -> str:
        """Return the title of a subgraph, which has one line."""
        label = label_of(part, self.drawn)
        title = " ".join([label.title, label.detail if part.type else ""]).rstrip()
        return _escaped(f"{title} ×{part.repeats}" if part.repeats > 1 else title)

    def _text(self, part: Part) -> str:
        label = label_of(part, self.drawn)
        title = f"{label.title} ×{part.repeats}" if part.repeats > 1 else label.title
        numbers = ", ".join(text for text in (label.params, label.macs) if text)
        name = label.aside if part.row else ""
        lines = (title, label.detail, name, numbers, label.note)
        return "<br>".join(_escaped(line) for line in lines if line)


def _escaped(text: str) -> str:
    """Return a text for a label: its signs as numbers, which no part of Mermaid reads as syntax."""
    return "".join(
        character if character.isalnum() or character in " .,:/×·-_" else f"#{ord(character)};"
        for character in one_line(text)
    )


def _title(name: str) -> str:
    """Return the title, which is YAML."""
    return '"' + one_line(name).replace("\\", "\\\\").replace('"', '\\"') + '"'
