"""Windows of series whose validation the training has seen, and windows that are split right."""

from __future__ import annotations

_HEAD = "input: [24, 1]\nlayers: [Flatten, {Linear: 6}]\nloss: MSELoss\n"
_FIELDS = "file: none.csv, window: 24, horizon: 6, inputs: [load], target: load, series: plant"
_WINDOWS = f"{_HEAD}data:\n  Csv: {{{_FIELDS}}}\n"
_ROWS = (
    "input: [3]\nlayers: [{Linear: 1}]\nloss: MSELoss\ndata:\n"
    "  Csv: {file: none.csv, inputs: [a, b, c], target: d}\n"
)

BAD = {
    "NB338": [
        _WINDOWS + "  validation: {part: 0.2, by: chance}\n",
        _WINDOWS + "  validation: {part: 0.2, group: town}\n",
        _WINDOWS + "  test: {by: chance, part: 0.1}\n",
    ]
}
GOOD = {
    "NB338": [
        _WINDOWS,
        _WINDOWS + "  validation: 0.1\n  test: 0.1\n",
        _WINDOWS + "  validation: {part: 0.2, by: order}\n",
        _WINDOWS + "  validation: {part: 0.2, group: plant}\n",
        _ROWS + "  validation: {part: 0.2, by: chance}\n",
    ]
}
