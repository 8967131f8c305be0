"""Sums of products: https://docs.pytorch.org/docs/stable/generated/torch.einsum.html.

torch sums the axes that only one operand has, multiplies matrices, and puts the axes in order. The
rules follow `einsum` and `sumproduct_pair` in `aten/src/ATen/native/Linear.cpp`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from string import ascii_letters
from typing import Annotated, Any, NamedTuple

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.fields import Wants, unwanted
from netbuild.components.layers.formula import Equation, Formulas, by_axis
from netbuild.components.layers.layer import Memory, Needs, Window
from netbuild.components.layers.layout import BATCH, Placed, Strides, elementwise, in_order, placed
from netbuild.components.layers.layout import viewed as view_of
from netbuild.components.layers.operation import Operation
from netbuild.components.layers.sight import Sight, every
from netbuild.components.tensor import BYTES, Shape, ShapeError, Tensor, product, times

_FORM = r"^ *[A-Za-z][A-Za-z ]*(, *[A-Za-z][A-Za-z ]*)*-> *[A-Za-z][A-Za-z ]*$"
_WANTED = "one or two terms and a result, such as bij,bjk->bik"


class _Operand(NamedTuple):
    """A tensor whose axes have letters: the sizes and strides by letter, with the batch."""

    sizes: dict[str, int]
    strides: dict[str, int]
    #: Whether it is a new tensor, summed over axes that no other operand has.
    is_sum: bool = False

    def over(self, letters: Sequence[str]) -> tuple[list[int], list[int]]:
        """Return the sizes and strides of the axes with these letters; 1 where there is none."""
        return [self.sizes.get(one, 1) for one in letters], [
            self.strides.get(one, 0) for one in letters
        ]


class _Groups(NamedTuple):
    """The letters of a product of matrices: of both operands, of one of them, and summed."""

    both: list[str]
    left: list[str]
    summed: list[str]
    right: list[str]


class Einsum(Operation):
    """Products of one or two inputs, summed over the axes that the result does not name.

    A letter stands for an axis. Each term names the axes of an input, the batch first.

    - {Einsum: "bqd,bkd->bqk", inputs: [queries, keys]}  # 10×64 and 12×64 to 10×12
    """

    function = "einsum"
    inputs = ("input",)
    optional_inputs = ("other",)
    needs_float = True
    results = None

    equation: Annotated[
        str, Wants(_WANTED, core_schema.str_schema(strict=True, pattern=_FORM, max_length=200))
    ]
    """Letters of the axes of each input, and of the result behind the arrow."""

    @field_validator("equation")
    @classmethod
    def _names_each_once(cls, equation: Any) -> Any:
        terms, result = _parsed(equation)
        if len(terms) > 2:
            raise unwanted(f"{_WANTED}; for three inputs, write two Einsum one after the other")
        if len({*result}) < len(result):
            raise unwanted("a result that names each axis once")
        if not {*result} <= {*"".join(terms)}:
            raise unwanted("a result whose letters stand in a term")
        return equation

    def _letters(self, *x: Shape) -> tuple[list[str], str]:
        """Return the terms and the result, if they fit the number of axes of each input.

        Raises:
            ShapeError: a term names other axes than an input has, or the batch is not first.
        """
        terms, result = _parsed(self.equation)
        at = "equation"
        if len(terms) != len(x):
            given = "1 input" if len(x) == 1 else f"{len(x)} inputs"
            message = f"the equation has {len(terms)} terms, and there are {given}"
            raise ShapeError("NB212", message.replace("has 1 terms", "has 1 term"), at=at)
        for number, (term, shape) in enumerate(zip(terms, x, strict=True), start=1):
            if len(term) != len(shape) + 1:
                message = f"{term} names {len(term)} axes, and input {number} has "
                message += f"{len(shape) + 1} with the batch: {times(shape)}"
                raise ShapeError("NB201", message, at=at)
        batch = result[0]
        for term in terms:
            if term.rfind(batch) != 0:
                message = f"the first letter of each term is the batch: the result {result} "
                message += f"begins with {batch}, and {term} "
                message += "begins with another one" if term[0] != batch else "names it twice"
                raise ShapeError("NB205", message, at=at)
        return terms, result

    def _sizes(self, *x: Shape) -> dict[str, int]:
        """Return the size of each letter; the batch has the size 1."""
        terms, _ = self._letters(*x)
        found: dict[str, int] = {}
        for number, (term, shape) in enumerate(zip(terms, x, strict=True), start=1):
            own: dict[str, int] = {}
            for letter, n in zip(term, (1, *shape), strict=True):
                if own.setdefault(letter, n) != n:
                    message = f"{letter} is {own[letter]} and {n} in input {number}: {times(shape)}"
                    raise ShapeError("NB212", message, at="equation")
            for letter, n in own.items():
                if 1 not in {n, found.get(letter, n)} and n != found.get(letter, n):
                    message = f"{letter} is {found[letter]} in input 1 ({times(x[0])}) and {n} in "
                    raise ShapeError("NB212", f"{message}input {number} ({times(shape)})")
                found[letter] = max(n, found.get(letter, n))
        return found

    def expect_dtypes(self, *x: Tensor) -> None:
        """Torch multiplies matrices of whole numbers only on a CPU."""
        if len(x) > 1:
            super().expect_dtypes(*x)

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        """Sums of whole numbers are int64."""
        keeps = x[0].floating or self.memory() == "view"
        shape = self.output_shape(*(tensor.shape for tensor in x))
        return {"output": Tensor(shape, x[0].dtype if keeps else "int64")}

    def output_shape(self, x: Shape, *other: Shape) -> Shape:
        sizes = self._sizes(x, *other)
        return tuple(sizes[letter] for letter in self._letters(x, *other)[1][1:])

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        terms, result = self._letters(*x)
        letter, n = terms[source][axis + 1], x[source][axis]
        if letter not in result:
            # The other input may hold zeros for some places, such as causal weights.
            shared = all(letter in term for term in terms) and len(terms) > 1
            return every(n)._replace(loose=shared)
        return every(1) if n == 1 < self._sizes(*x)[letter] else Sight(result.index(letter) - 1)

    def window(self, *x: Shape) -> Window | None:
        """The letters of an equation have no meaning as positions."""
        return None

    def macs(self, *x: Shape) -> int:
        sizes, letters = self._sizes(*x), self._multiplied(*x)
        return product(tuple(sizes[letter] for letter in letters)) if letters else 0

    def _multiplied(self, *x: Shape) -> list[str]:
        """Return the letters of the product of matrices, without the batch; none without one."""
        found = self._groups([Placed(shape) for shape in x])
        if found is None:
            return []
        return [one for group in found for one in group if one != self._letters(*x)[1][0]]

    def formulas(self, *x: Shape) -> Formulas:
        sizes, (_, result) = self._sizes(*x), self._letters(*x)
        letters = self._multiplied(*x)
        numbers: dict[str, Any] = {letter: sizes[letter] for letter in letters}
        macs = {"": Equation("·".join(letters), numbers)} if letters else {}
        used = {*result[1:], *letters}
        terms = {letter: f"the size of axis {letter}" for letter in sizes if letter in used}
        axes = by_axis(Equation(letter, {letter: sizes[letter]}) for letter in result[1:])
        return Formulas(axes, macs=macs, terms=terms)

    def arguments(self, *x: Shape) -> dict[str, Any]:
        """The equation comes before the inputs."""
        return {}

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        return {"output": forward(self.equation.replace(" ", ""), *x)}

    def saved(self, *x: Shape) -> tuple[str, ...]:
        numbers = self.needs(*map(Placed, x), learns=True).inputs
        return tuple(("input", "other")[number] for number in numbers)

    def workspace(self, *x: Shape) -> int:
        return self.needs(*map(Placed, x), learns=True).workspace

    def memory(self, *x: Placed) -> Memory:
        """A single input whose axes only change places is a view."""
        terms, result = _parsed(self.equation)
        return "view" if len(terms) == 1 and {*terms[0]} == {*result} else "new"

    def needs(self, *x: Placed, learns: bool) -> Needs:
        """Each operand for the gradient of the other one: itself, or a copy with merged axes."""
        if len(x) < 2:
            return Needs()
        operands = self._operands(x)
        groups = self._groups(x)
        kept, workspace = [], 0
        for number, operand in enumerate(operands):
            if not x[1 - number].gradient:
                continue
            copied = groups is not None and not _merges(operand, groups, number)
            if operand.is_sum or copied:
                workspace += BYTES["float32"] * product(tuple(operand.sizes.values())) // BATCH
            else:
                kept.append(number)
        return Needs(tuple(kept), (), workspace)

    def _operands(self, x: Sequence[Placed]) -> list[_Operand]:
        """Return the operands, summed over the axes that only one of them has."""
        terms, result = self._letters(*_shapes(x))
        operands = [_operand(term, one) for term, one in zip(terms, x, strict=True)]
        found = []
        for number, operand in enumerate(operands):
            others = operands[:number] + operands[number + 1 :]
            left = {
                letter: n
                for letter, n in sorted(operand.sizes.items())
                if letter in result or n == 1 or any(o.sizes.get(letter, 1) > 1 for o in others)
            }
            if len(left) == len(operand.sizes):
                found.append(operand)
                continue
            order = [one for one in result if one in left]
            order += [one for one in left if one not in result]
            strides = in_order([left[letter] for letter in order])
            found.append(_Operand(left, dict(zip(order, strides, strict=True)), is_sum=True))
        return found

    def _groups(self, x: Sequence[Placed]) -> _Groups | None:
        """Return the letters of the product of matrices; None if nothing is summed in it."""
        if len(x) < 2:
            return None
        left, right = (one.sizes for one in self._operands(x))
        _, result = self._letters(*_shapes(x))
        others = sorted({*left, *right} - {*result})
        summed = [one for one in others if left.get(one, 1) > 1 and right.get(one, 1) > 1]
        if not summed:
            return None
        groups = _Groups([], [], summed, [])
        for letter in result:
            wide = left.get(letter, 1) > 1, right.get(letter, 1) > 1
            (groups.both if all(wide) else groups.left if wide[0] else groups.right).append(letter)
        return groups

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        _, result = self._letters(*_shapes(x))
        if len(x) == 1:
            if self.memory(*x) == "new":
                return (None,)
            operand = _operand(self._letters(x[0].shape)[0][0], x[0])
            return (placed((BATCH, *y[0]), operand.over(result)[1]),)
        groups = self._groups(x)
        if groups is None:
            both = (operand.over(result) for operand in self._operands(x))
            given = [Placed(tuple(sizes[1:]), tuple(strides)) for sizes, strides in both]
            return (elementwise(y[0], given),)
        sizes = dict(zip(result, (BATCH, *y[0]), strict=True))
        order = [*groups.both, *groups.left, *groups.right]
        strides = dict(zip(order, in_order([sizes[one] for one in order]), strict=True))
        return (placed((BATCH, *y[0]), [strides[one] for one in result]),)


def _parsed(equation: str) -> tuple[list[str], str]:
    """Return the terms and the result of an equation."""
    terms, _, result = re.sub(" ", "", equation).partition("->")
    return terms.split(","), result


def with_batch(equation: str) -> Iterator[str]:
    """Yield equations that name the batch first: with a further letter, or the first one of all.

    >>> list(with_batch("bij,jk->ik"))
    ['nbij,njk->nik', 'bij,bjk->bik']
    """
    terms, result = _parsed(equation)
    unused = next(one for one in ascii_letters[1:] if one not in equation)
    for batch in ("n" if "b" in equation and "n" not in equation else unused, terms[0][0]):
        named = [batch + one.replace(batch, "") for one in (*terms, result)]
        yield f"{','.join(named[:-1])}->{named[-1]}"


def _shapes(x: Sequence[Placed]) -> list[Shape]:
    return [one.shape for one in x]


def _operand(term: str, x: Placed) -> _Operand:
    """Return an input by its letters. The diagonal of two axes has the sum of their strides."""
    sizes: dict[str, int] = {}
    strides: dict[str, int] = {}
    for letter, n, step in zip(term, x.sizes, x.distances, strict=True):
        sizes[letter] = n
        strides[letter] = strides.get(letter, 0) + step
    return _Operand(sizes, strides)


def _merges(operand: _Operand, groups: _Groups, number: int) -> bool:
    """Whether an operand becomes a stack of matrices without a copy."""
    outer = groups.left, groups.right
    order = (
        (groups.both, outer[0], groups.summed)
        if number == 0
        else (groups.both, groups.summed, outer[1])
    )
    sizes, strides = operand.over([letter for group in order for letter in group])
    shape = [product(tuple(operand.sizes.get(one, 1) for one in group)) for group in order]
    return view_of(sizes, strides, shape) is not None
