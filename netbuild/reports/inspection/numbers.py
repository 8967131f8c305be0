"""Numbers with four significant digits, as readers like them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netbuild.reports.inspection.look import Values

#: Values below this part of the largest one are rounding.
_ROUNDING = 1e-6


def short(x: float) -> str:
    """Return a number with four significant digits at most.

    >>> short(0.5), short(-1234.56), short(0.000012345), short(float("nan"))
    ('0.5', '−1235', '1.234e−05', 'nan')
    """
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    return f"{x:.4g}".replace("-", "−")


def fixed(x: float) -> str:
    """Return a number with four significant digits for a column of a table: 0 stays short.

    >>> fixed(0.5), fixed(0.0), fixed(-12.0), fixed(123456.0)
    ('0.5000', '0', '−12.00', '1.235e+05')
    """
    if x == 0 or not math.isfinite(x):
        return short(x)
    return f"{x:#.4g}".rstrip(".").replace("-", "−")


def cells(values: Values) -> list[str]:
    """Return the mean, the deviation, the least and the largest value as cells of a table.

    A mean that is nothing but rounding is `≈ 0`.
    """
    limit = _ROUNDING * max(abs(values.least), abs(values.largest))
    return ["≈ 0" if 0 < abs(x) < limit else fixed(x) for x in values[1:5]]


def percent(share: float) -> str:
    """Return a share in percent. Only nothing at all is 0 %, and only all is 100 %.

    >>> percent(0.5), percent(0.0), percent(0.00001), percent(0.99999), percent(1.0)
    ('50.0 %', '0 %', '<0.1 %', '>99.9 %', '100 %')
    """
    if share in {0.0, 1.0}:
        return f"{100 * share:.0f} %"
    if share < 0.001:
        return "<0.1 %"
    return ">99.9 %" if share > 0.999 else f"{100 * share:.1f} %"
