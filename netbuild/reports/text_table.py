"""A table of plain text rows.

A summary may have thousands of rows. For these, a table of rich takes longer than all other work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP = 2  # blanks between two columns


class TextTable(NamedTuple):
    """A title, a header, rows and a footer. A row may have fewer cells than the header.

    The first `words` columns are left-aligned. The other columns hold numbers, right-aligned.
    `strong` is the position of a row that stands out.
    """

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    footer: tuple[str, ...]
    words: int
    strong: int | None = None

    @property
    def width(self) -> int:
        """The width of the table in columns of the terminal."""
        return 1 + sum(self._widths) + _GAP * (len(self.header) - 1)

    @property
    def _widths(self) -> list[int]:
        every = (self.header, self.footer, *self.rows)
        return [
            max(cell_len(row[column]) for row in every if column < len(row))
            for column in range(len(self.header))
        ]

    def text(self) -> Text:
        """Return the lines of the table. Empty lines set off the title and the footer."""
        widths = self._widths
        rule = " " + "─" * (self.width - 1)
        body = [self._line(row, widths) for row in self.rows]
        split = len(body) if self.strong is None else self.strong
        before, strong, behind = body[:split], body[split : split + 1], body[split + 1 :]
        return Text.assemble(
            (self.title, "bold"),
            "\n\n",
            (self._line(self.header, widths), "bold"),
            f"\n{rule}\n" + "".join(f"{line}\n" for line in before),
            ("".join(f"{line}\n" for line in strong), "bold green"),
            "".join(f"{line}\n" for line in behind) + "\n",
            (self._line(self.footer, widths), "bold"),
            "\n",
        )

    def _line(self, row: tuple[str, ...], widths: list[int]) -> str:
        cells = []
        for column, (cell, width) in enumerate(zip(row, widths, strict=False)):
            blank = " " * (width - cell_len(cell))
            cells.append(cell + blank if column < self.words else blank + cell)
        return (" " + (" " * _GAP).join(cells)).rstrip()
