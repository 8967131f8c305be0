"""The section `budget:`: the largest size that a network may have."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic_core import core_schema

from netbuild.components.component import Component
from netbuild.components.fields import Wants, either, optional, real

_POWERS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_COUNTS = _POWERS
_BYTES = {f"{prefix}B": factor for prefix, factor in _POWERS.items()} | _BINARY | {"": 1}


def _quantity(units: dict[str, int], phrase: str) -> Wants:
    """Return the annotation of a field that takes a number with one of these units."""

    def value(text: Any) -> float:
        number, unit = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,15})?) ?([A-Za-z]*)", text).groups()  # type: ignore[union-attr]  # the pattern below
        whole, _, part = number.partition(".")
        exact: int = int(whole + part) * units[unit]
        return exact / 10.0 ** len(part)

    names = "|".join(unit for unit in units if unit)
    pattern = rf"^[0-9]{{1,15}}(\.[0-9]{{1,15}})? ?({names})?$"
    number_with_unit = core_schema.no_info_after_validator_function(
        value, core_schema.str_schema(strict=True, pattern=pattern)
    )
    return Wants(phrase, optional(either(real(ge=0), number_with_unit)))


_Count = Annotated[
    float | None, _quantity(_COUNTS, "a number of at least 0, with k, M, G or T, such as 5M")
]
_Bytes = Annotated[
    float | None,
    _quantity(_BYTES, "a number of bytes, with kB, MB, GB, KiB, MiB or GiB, such as 20MB"),
]


class Budget(Component):
    """`budget:` the largest size that a network may have. A field without a value sets no limit."""

    params: _Count = None
    """The most parameters, such as 5M."""
    macs: _Count = None
    """The most multiply-adds for one sample, such as 600M."""
    activations: _Bytes = None
    """The most bytes that training keeps per sample for the backward pass, such as 20MB."""
    weights: _Bytes = None
    """The most bytes of all weights together, such as 20MB."""
