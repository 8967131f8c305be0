"""The first values of each parameter: from `init`, or torch's default for the layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from netbuild.checks.init import uses
from netbuild.components.first_values import FirstValues
from netbuild.components.layers.formula import Equation
from netbuild.reports.explanation.step import FormulaStep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.config.init import Rule
    from netbuild.graph.row import Row
    from netbuild.reports.explanation.origins import Origins

DEFAULT = "torch's default"
#: The longest list of names before a distribution.
_NAMES = 24


class Beginning(NamedTuple):
    """The first values of a parameter, and who decides them."""

    parameter: str
    first: FirstValues
    #: In words: `torch's default`, or `init, line 7`.
    place: str

    @property
    def numbers(self) -> str:
        """The rule with its numbers filled in."""
        return Equation(self.first.rule, self.first.numbers).filled if self.first.rule else ""

    @property
    def result(self) -> float | None:
        """The value of the rule."""
        return [*self.first.values.values()][-1] if self.first.rule else None

    @property
    def words(self) -> str:
        """The distribution in words: `normal, deviation √(2 / fan_in) = √(2 / 784) = 0.05051`."""
        values, formula = self.first.values, ""
        if self.result is not None:
            formula = " = ".join((self.first.rule, self.numbers, _number(self.result)))
        said = _words(self.first.distribution, values, formula)
        return "; ".join(part for part in (said, self.first.note) if part)


def beginnings(row: Row, rules: Sequence[Rule], origins: Origins) -> tuple[Beginning, ...]:
    """Return the first values of the parameters of a layer, as far as they are known.

    A layer of a plug-in may not say what it begins with.
    """
    default = row.layer.first_values(*row.shapes) if row.weights else {}
    own = "netbuild's default" if row.type.startswith("Switchable") or not row.inputs else DEFAULT
    found = []
    for use in uses(row, rules):
        if use.name in origins.files:
            file = origins.files[use.name].given.pretrained.file
            first = FirstValues("file", {}, note=f"the values in {Path(file).name}")
            found.append(Beginning(use.parameter, first, "pretrained"))
        elif use.initializer is not None and use.span is not None:
            first = use.initializer.first_values(use.shape)
            found.append(Beginning(use.parameter, first, f"init, {origins.line(use.span)}"))
        elif use.parameter in default:
            found.append(Beginning(use.parameter, default[use.parameter], own))
    return tuple(found)


def first_steps(found: Sequence[Beginning]) -> tuple[FormulaStep, ...]:
    """Return a step for each distribution. Parameters that begin alike share it."""
    names: dict[tuple[str, str], list[str]] = {}
    for one in found:
        names.setdefault((one.words, one.place), []).append(one.parameter)
    several = len({place for _, place in names}) > 1
    return tuple(
        FormulaStep(_names(group), "", "", None, None, f"{words}, by {place}" if several else words)
        for (words, place), group in names.items()
    )


def deciders(found: Sequence[Beginning]) -> str:
    """Return who decides the first values: `torch's default`, or `init, line 7`."""
    places = {one.place: "" for one in found}
    if len(places) > 1:  # the lines stand at the steps
        places = {place.partition(",")[0]: "" for place in places}
    return " and ".join(places)


def _names(group: Sequence[str]) -> str:
    whole = ", ".join(group)
    if len(whole) <= _NAMES or len(group) == 1:
        return whole
    first = ".".join(group[0].split(".")[-2:])  # the other parts only count layers
    return f"{first} and {len(group) - 1} other{'s' if len(group) > 2 else ''}"


def _words(distribution: str, values: Mapping[str, float], formula: str) -> str:
    shown = {name: _number(value) for name, value in values.items()}
    mean = f"mean {shown['mean']}, " if values.get("mean") else ""
    said = ""
    match distribution:
        case "constant":
            said = f"all {shown['value']}"
        case "uniform" if formula:
            said = f"uniform, −b to b, b = {formula}"
        case "uniform":
            said = f"uniform, {shown['low']} to {shown['high']}"
        case "normal":
            said = f"normal, {mean}deviation {formula or shown['deviation']}"
        case "truncated normal":
            within = f"{shown['low']} to {shown['high']}"
            said = f"normal within {within}, {mean}deviation {shown['deviation']}"
        case "orthogonal":
            gain = "" if values["gain"] == 1 else f", times {shown['gain']}"
            said = f"a random orthogonal matrix{gain}"
        case "sparse":
            share = _number(100 * values["sparsity"])
            said = f"normal, deviation {shown['deviation']}, {share}% of each column are 0"
        case "identity":
            said = "the identity"
    return said


def _number(value: float) -> str:
    text = f"{abs(value):.4g}"
    return f"−{text}" if value < 0 else text
