"""Sums of products, by hand and by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from hypothesis import strategies as st

from tests.components.layers.contract import Case, Family, Row, Shape, Strictness, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable


def row(equation: str, macs: int, y: Shape, x: Shape, *others: Shape) -> Row:
    """Return a row with the multiplications that are counted by hand."""
    return Row({"Einsum": {"equation": equation}}, x, y, {}, macs, tuple(map(Tensor, others)))


ROWS = [
    # A product of matrices: one multiplication for each letter's places.
    row("bij,bjk->bik", 4 * 3 * 5, (4, 5), (4, 3), (3, 5)),
    row("bij,bkj->bki", 4 * 3 * 5, (5, 4), (4, 3), (5, 3)),
    row("bhqd,bhkd->bhqk", 2 * 4 * 5 * 3, (2, 4, 5), (2, 4, 3), (2, 5, 3)),
    row("bqhd,bkhd->bhqk", 2 * 4 * 5 * 3, (2, 4, 5), (4, 2, 3), (5, 2, 3)),
    row("bi,bi->b", 4, (), (4,), (4,)),
    row("bxyd,bed->bxye", 2 * 3 * 5 * 4, (2, 3, 5), (2, 3, 4), (5, 4)),
    # Two axes are summed at once, in the order of the alphabet.
    row("bicd,bdcj->bij", 2 * 3 * 4 * 5, (2, 5), (2, 3, 4), (4, 3, 5)),
    # An axis of one operand only is summed before.
    row("bijs,bjk->bik", 4 * 3 * 5, (4, 5), (4, 3, 2), (3, 5)),
    row("bij,bkjs->bik", 4 * 3 * 5, (4, 5), (4, 3), (5, 3, 2)),
    # Without a sum, it multiplies element by element; an axis of 1 repeats.
    row("bi,bj->bij", 0, (4, 3), (4,), (3,)),
    row("bij,bj->bij", 0, (4, 3), (4, 3), (3,)),
    row("bij,bij->bji", 0, (3, 4), (4, 1), (4, 3)),
    row("bis,bi->bi", 0, (4,), (4, 3), (4,)),
    row("bij,bjk->bik", 5, (1, 5), (1, 1), (1, 5))._replace(macs=0),
    # One operand: a view, a diagonal, a sum.
    row("bij->bji", 0, (3, 4), (4, 3)),
    row("bii->bi", 0, (4,), (4, 4)),
    row("bijk->bik", 0, (4, 2), (4, 3, 2)),
]

ONE = ("bij->jbi", "ij->i", "bij->bik", "bij->bii", "bij", "bij->", "->b", "b i j -> b j")
ONE += ("bij,bij->bij", "bib->bi", "bbi->bi", "BIj->BI")
TWO = ("bij,bjk->ik", "bij,cjk->bik", "bij,bki->bjk", "a,b->ab", "b...,b...->b...", "bij,bi->bj")

EDGES = [
    *[Case("Einsum", {"equation": equation}, (4, 3)) for equation in ONE],
    *[Case("Einsum", {"equation": "bij->bi"}, (4, 3), dtype=one) for one in ("bool", "int32")],
    *[Case("Einsum", {"equation": "bij->bji"}, (4, 3), dtype=one) for one in ("bool", "uint8")],
    *[Case("Einsum", {"equation": equation}, (4, 3), (Tensor((3, 5)),)) for equation in TWO],
    *[Case("Einsum", {"equation": "bij,bij->bij"}, (4, 3), (Tensor(x),)) for x in ((4, 3), (1, 3))],
    Case("Einsum", {"equation": "bij,bjk->bik"}, (4, 3), (Tensor((3, 5), "int64"),)),
]


def einsum(equation: str) -> Callable[..., Any]:
    return lambda *x: torch.einsum(equation, *x)


@st.composite
def drawn(draw: Callable[..., Any]) -> Case:
    """Draw letters for one or two inputs, and a size for each letter."""
    sizes = {letter: draw(st.sampled_from([1, 2, 3, 3, 4])) for letter in "Aicdj"}
    some = st.lists(st.sampled_from("Aicdj"), max_size=3)
    terms = draw(st.lists(some, min_size=1, max_size=2))
    shapes = [tuple(1 if draw(st.integers(0, 9)) == 0 else sizes[one] for one in t) for t in terms]
    used = sorted({letter for term in terms for letter in term})
    result = draw(st.lists(st.sampled_from(used), unique=True, max_size=4)) if used else []
    first = draw(st.sampled_from(["b"] * 9 + [""]))
    equation = ",".join("b" + "".join(term) for term in terms) + f"->{first}{''.join(result)}"
    return Case("Einsum", {"equation": equation}, shapes[0], tuple(map(Tensor, shapes[1:])))


def hides_the_batch(case: Case) -> bool:
    """Tell whether a term does not begin with the letter of the batch, or names it twice."""
    terms = case.fields["equation"].replace("->", ",").split(",")
    return any(term.rfind(terms[0][:1]) != 0 for term in terms)


STRICTNESS = [
    Strictness(
        "a result that does not begin with the batch of each term",
        hides_the_batch,
        Case("Einsum", {"equation": "bij->jbi"}, (4, 3)),
    ),
    Strictness(
        "a term without letters for all axes, or without a result",
        lambda case: "." in case.fields["equation"] or "->" not in case.fields["equation"],
        Case("Einsum", {"equation": "b...->b..."}, (4, 3)),
    ),
]

FAMILY = Family(
    ROWS,
    {"Einsum": drawn()},
    EDGES,
    STRICTNESS,
    make={"Einsum": einsum},
)
