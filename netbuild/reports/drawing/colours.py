"""The colours of a drawing, light and dark, and the marks of the kinds.

Kinds differ in lightness too, and each has a mark of its own: colour is never all that tells them
apart, in greyscale or for a colour-blind reader. The hues are near those of Okabe and Ito, Color
Universal Design, 2008.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from netbuild.reports.drawing.boxes import FONTS

Theme: TypeAlias = Literal["light", "dark", "auto"]


class Palette(NamedTuple):
    """The colours of one theme."""

    paper: str
    group: str
    ink: str
    muted: str
    line: str
    edge: str
    skip: str
    track: str
    bad: str
    #: The colour of each kind.
    kinds: dict[str, str]
    #: How much of a kind's colour a box has.
    tint: float


LIGHT = Palette(
    *("#ffffff", "#f4f6f9", "#1b1f24", "#59636e", "#c3ccd6", "#6b7682", "#b04a00", "#dde3ea"),
    "#cf222e",
    {
        "input": "#1b1f24",
        "output": "#1b1f24",
        "stack": "#5a6b80",
        "convolution": "#0b5fa5",
        "linear": "#c4560a",
        "attention": "#9c1f6b",
        "recurrent": "#5b3fa0",
        "embedding": "#0f7d78",
        "norm": "#8fbfe3",
        "activation": "#f0c33c",
        "pooling": "#2f9e6e",
        "dropout": "#bcc4cd",
        "join": "#3a424d",
        "shape": "#8d98a5",
        "operation": "#76808c",
        "tensor": "#d9a3c4",
        "fault": "#cf222e",
    },
    0.07,
)
DARK = Palette(
    *("#0d1117", "#151b23", "#e6edf3", "#9aa4af", "#3d4651", "#8b96a2", "#f0a05e", "#2b333d"),
    "#ff7b72",
    {
        "input": "#e6edf3",
        "output": "#e6edf3",
        "stack": "#7d8fa6",
        "convolution": "#4a9be8",
        "linear": "#f08a3c",
        "attention": "#d65fa6",
        "recurrent": "#9a80e0",
        "embedding": "#2fb5ac",
        "norm": "#a9d2f2",
        "activation": "#f2cc5c",
        "pooling": "#4cc48f",
        "dropout": "#5c6670",
        "join": "#c9d1d9",
        "shape": "#6d7883",
        "operation": "#8b949e",
        "tensor": "#e3b6d2",
        "fault": "#f85149",
    },
    0.13,
)

#: The mark of each kind as a path in a square of 16 pixels; it is stroked.
MARKS = {
    "input": "M8 2.5V12M4.2 8.4L8 12.4L11.8 8.4",
    "output": "M8 2.5V12M4.2 8.4L8 12.4L11.8 8.4M3 14.2H13",
    "stack": "M8 2.2L14 5.2L8 8.2L2 5.2ZM2.4 8.4L8 11.2L13.6 8.4M2.4 11.4L8 14.2L13.6 11.4",
    "convolution": "M2.5 2.5H13.5V13.5H2.5ZM6.2 2.5V13.5M9.8 2.5V13.5M2.5 6.2H13.5M2.5 9.8H13.5",
    "linear": "M3 3L13 3M3 3L13 13M3 13L13 3M3 13L13 13",
    "attention": "M1.8 8C4.6 3.4 11.4 3.4 14.2 8C11.4 12.6 4.6 12.6 1.8 8Z"
    "M8 6.1A1.9 1.9 0 1 1 7.99 6.1",
    "recurrent": "M12.9 6A5.3 5.3 0 1 0 13.3 9.2M13.6 2.6V6.3H9.9",
    "embedding": "M2.5 3H13.5M2.5 8H13.5M2.5 13H13.5M5.5 1.5V14.5",
    "norm": "M1.5 13C6 13 5.6 3 8 3C10.4 3 10 13 14.5 13",
    "activation": "M1.8 12.2H7.4L13.8 3.4",
    "pooling": "M2 3H14L9.6 9V13.6L6.4 12V9Z",
    "dropout": "M3.5 3.5L3.6 3.5M8 3.5L12.5 3.6M3.5 8L8 8M12.5 8L12.6 8"
    "M3.5 12.5L3.6 12.5M8 12.5L8.1 12.5M11.4 11.4L13.6 13.6M13.6 11.4L11.4 13.6",
    "join": "M3 2.5C3 7 8 6 8 10V13.5M13 2.5C13 7 8 6 8 10M5.6 11.3L8 13.8L10.4 11.3",
    "shape": "M2.5 6V2.5H6M10 13.5H13.5V10M2.5 2.5L13.5 13.5",
    "operation": "M11.5 3.2C9 2 8.4 3.6 8 6L6.9 11.4C6.5 13.6 5.6 14.2 4 13.4M5.2 7H10.6",
    "tensor": "M8 2L14 8L8 14L2 8Z",
    "fault": "M8 2L14.4 13.6H1.6ZM8 6.4V9.6M8 11.4V11.6",
}

_FAMILY = "Helvetica, Arial, 'Liberation Sans', 'Nimbus Sans', 'Helvetica Neue', Arimo, sans-serif"


#: The least contrast of a mark and its tile.
_CONTRAST = 3.0


def mixed(colour: str, ground: str, share: float) -> str:
    """Return a colour with a share of one colour on a ground."""
    pairs = zip(_rgb(colour), _rgb(ground), strict=True)
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in pairs)


def on(colour: str) -> str:
    """Return the colour of a mark on a tile: white, or black where white is too pale.

    The contrast is that of WCAG 2.2, 1.4.11: 3 to 1.
    """
    return "#ffffff" if 1.05 / (luminance(colour) + 0.05) >= _CONTRAST else "#14181d"


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, from 0 to 1 (WCAG 2.2)."""
    parts = [c / 255 for c in _rgb(colour)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    return red, green, blue


def styles(theme: Theme, kinds: list[str], scope: str = ".netbuild") -> str:
    """Return the style sheet of a drawing with these kinds. `auto` follows the reader's system."""
    fixed = [f"{scope} text{{font-family:{_FAMILY};white-space:pre}}"]
    for name, (size, bold) in FONTS.items():
        weight = ";font-weight:700" if bold else ""
        fixed.append(f"{scope} .{name}{{font-size:{size:g}px{weight}}}")
    fixed.append(
        f"{scope} .mark{{fill:none;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}}"
    )
    fixed.append(
        f"{scope} .edge,{scope} .skip{{fill:none;stroke-width:1.4}}"
        f"{scope} .skip{{stroke-width:1.8}}"
    )
    fixed.append(
        f"{scope} .shared{{stroke-dasharray:5 3}}"
        f"{scope} .wire{{paint-order:stroke;stroke-width:3px;stroke-linejoin:round}}"
    )
    light, dark = (_rules(palette, kinds, scope) for palette in (LIGHT, DARK))
    if theme == "auto":
        print_ = f"@media print{{{light}}}"
        return "".join(fixed) + light + f"@media (prefers-color-scheme:dark){{{dark}}}" + print_
    return "".join(fixed) + (light if theme == "light" else dark)


def _rules(palette: Palette, kinds: list[str], scope: str) -> str:
    p = palette
    rules = {
        ".paper": f"fill:{p.paper}",
        ".group": f"fill:{p.group};stroke:{p.line}",
        ".sheet": f"fill:{p.group};stroke:{p.line}",
        "text": f"fill:{p.ink}",
        ".detail,.netbuild .number,.netbuild .aside,.netbuild .legend": f"fill:{p.muted}",
        ".note": f"fill:{p.skip}",
        ".fault .note": f"fill:{p.bad}",
        ".wire": f"fill:{p.muted};stroke:{p.paper}",
        ".in .wire": f"stroke:{p.group}",
        ".edge": f"stroke:{p.edge}",
        ".skip": f"stroke:{p.skip}",
        ".tip": f"fill:{p.edge}",
        ".tip.far": f"fill:{p.skip}",
        ".track": f"fill:{p.track}",
        ".params": f"fill:{p.ink}",
        ".macs": f"fill:{p.muted}",
        ".bad": f"fill:{p.bad}",
    }
    for kind in kinds:
        colour = p.kinds[kind]
        rules[f".{kind} .box"] = (
            f"fill:{mixed(colour, p.paper, p.tint)};stroke:{mixed(colour, p.paper, 0.55)}"
        )
        rules[f".{kind} .tile"] = f"fill:{colour}"
        rules[f".{kind} .mark"] = f"stroke:{on(colour)}"
    return "".join(f"{scope} {selector}{{{rule}}}" for selector, rule in rules.items())
