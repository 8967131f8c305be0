"""Constants: https://docs.pytorch.org/docs/stable/torch.html#creation-ops."""

from collections.abc import Iterator, Sequence
from math import ceil, inf, isnan
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, field_validator
from pydantic_core import core_schema
from pydantic_core.core_schema import CoreSchema

from netbuild.components.fields import (
    MAX_FLOAT32,
    Bool,
    Wants,
    either,
    many,
    optional,
    unwanted,
    whole,
)
from netbuild.components.layers.layer import Layer
from netbuild.components.layers.ranges import Range
from netbuild.components.tensor import Shape, ShapeError, Tensor

Number: TypeAlias = bool | int | float
Dtype: TypeAlias = Literal["float32", "int64", "int32", "uint8", "bool"]
#: The dtypes of whole numbers, with their least and largest values. Larger values wrap in torch.
_WHOLE = {"uint8": (0, 255), "int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}

_number = either(
    core_schema.bool_schema(strict=True),
    whole(),
    core_schema.float_schema(strict=True, allow_inf_nan=True),
)


def _nested(depth: int) -> CoreSchema:
    """Return the schema of a number, or of lists in lists with at most this many axes."""
    return either(_number, many(_nested(depth - 1), at_least=1)) if depth else _number


def _arguments(phrase: str, least: int, most: int) -> Wants:
    """Return the mark of torch's arguments: a list of numbers, or a single number."""
    items = core_schema.tuple_schema(
        [_real], variadic_item_index=0, min_length=least, max_length=most
    )
    return Wants(phrase, optional(items if least > 1 else either(_real, items)))


_real = either(whole(), core_schema.float_schema(strict=True, allow_inf_nan=False))
_Nested = Annotated[
    Any, Wants("a number, or lists of numbers with at most 6 axes", optional(_nested(6)))
]
_Ends = Annotated[Any, _arguments("end, or [start, end] or [start, end, step]", 1, 3)]
_Steps = Annotated[Any, _arguments("[start, end, steps]", 3, 3)]
_Powers = Annotated[Any, _arguments("[start, end, steps] or [start, end, steps, base]", 3, 4)]
_Sizes = Annotated[
    int | tuple[int, ...] | None,
    Wants("a size, or a list of sizes", optional(either(whole(1), many(whole(1))))),
]
_Matrix = Annotated[
    int | tuple[int, ...] | None,
    Wants(
        "a size, or [rows, columns]",
        optional(either(whole(1), core_schema.tuple_schema([whole(1), whole(1)]))),
    ),
]
_Filled = Annotated[
    Any,
    Wants(
        "[sizes, number]",
        optional(core_schema.tuple_schema([either(whole(1), many(whole(1))), _number])),
    ),
]
_Dtype = Annotated[
    Dtype | None,
    Wants(
        "float32, int64, int32, uint8, bool or null",
        optional(core_schema.literal_schema(["float32", "int64", "int32", "uint8", "bool"])),
    ),
]


class Constant(Layer):
    """A tensor that is not learned, and that all samples share: positions, a table, a mask.

    One of the fields up to `full` gives its values, with the arguments of torch's function in a
    list. Without them, it keeps the value of its input, which is computed once, when the network is
    built. Shapes have no batch axis. It is not in `state_dict()` unless `persistent` is true.

    - Constant: {arange: [0, 20, 2]}  # 10 of int64
    """

    inputs = ()
    optional_inputs = ("input",)
    is_tensor = True
    needs_float = False
    results = None

    value: _Nested = None
    """The values: a number, or lists of numbers in lists."""
    arange: _Ends = None
    """Arguments of torch.arange: end, or [start, end] or [start, end, step]."""
    linspace: _Steps = None
    """Arguments of torch.linspace: [start, end, steps]."""
    logspace: _Powers = None
    """Arguments of torch.logspace: [start, end, steps], and a base other than 10."""
    eye: _Matrix = None
    """Size of a matrix with ones on its diagonal, or its [rows, columns]."""
    ones: _Sizes = None
    """Sizes of a tensor of ones."""
    zeros: _Sizes = None
    """Sizes of a tensor of zeros."""
    full: _Filled = None
    """Arguments of torch.full: [sizes, number]."""
    dtype: _Dtype = Field(None, validate_default=True)
    """Type of the values; null takes torch's: int64 for whole numbers, bool for true and false."""
    persistent: Bool = False
    """Whether it is in state_dict(), under the name of the item."""

    sources: ClassVar[tuple[str, ...]] = (
        *("value", "arange", "linspace", "logspace", "eye", "ones", "zeros", "full"),
    )

    @field_validator("arange", "linspace", "logspace", "eye", "ones", "zeros", "full")
    @classmethod
    def _only_one(cls, value: Any, info: Any) -> Any:
        given = (name for name in cls.sources if info.data.get(name) is not None)
        other = next(given, None)
        if value is not None and other is not None:
            raise unwanted(f"null beside {other}: one field gives the values")
        return value

    @field_validator("value")
    @classmethod
    def _is_a_tensor(cls, value: Any) -> Any:
        if value is not None:
            if _shape(value) is None:
                raise unwanted("lists of one length on each axis")
            _expect_numbers(value)
        return value

    @field_validator("full")
    @classmethod
    def _is_a_number(cls, full: Any) -> Any:
        if full is not None:
            _expect_numbers(full[1])
        return full

    @field_validator("arange")
    @classmethod
    def _has_values(cls, arange: Any) -> Any:
        if arange is not None:
            start, end, step = _ends(arange)
            if not _count(start, end, step):
                raise unwanted("numbers with at least one value from start on and before end")
            _expect_numbers((start, end))
        return arange

    @field_validator("linspace", "logspace")
    @classmethod
    def _has_steps(cls, values: Any, info: Any) -> Any:
        if values is not None:
            if type(values[2]) is not int or values[2] < 1:
                raise unwanted("a whole number of at least 1 as its third number, steps")
            if values[3:] and values[3] <= 0:
                raise unwanted("a base greater than 0")
            ends = values[:2]
            if info.field_name == "logspace":
                ends = tuple(_power((*values, 10)[3], one) for one in ends)
            if any(abs(one) > MAX_FLOAT32 for one in ends):
                raise unwanted("ends within float32, whose numbers go up to 3.4e38")
        return values

    @field_validator("dtype")
    @classmethod
    def _holds_the_values(cls, dtype: Any, info: Any) -> Any:
        name = next((name for name in cls.sources if info.data.get(name) is not None), None)
        if dtype is None or name is None:
            return dtype
        given = info.data[name]
        if dtype == "bool" and name in {"arange", "linspace", "logspace"}:
            raise unwanted(f"a dtype of numbers: torch has no {name} of bool")
        if dtype in _WHOLE:
            written = given[1:] if name == "full" else given
            fractions = name in {"value", "arange", "full"}
            if fractions and any(isinstance(number, float) for number in _flat(written)):
                raise unwanted(f"float32 for {name} with fractions")
            least, most = _WHOLE[dtype]
            found = _bounds(name, given)
            if found[0] < least or found[1] > most:
                values = (
                    f"{found[0]:g}" if found[0] == found[1] else f"{found[0]:g} to {found[1]:g}"
                )
                raise unwanted(f"a dtype that holds {values}")
        return dtype

    @property
    def is_plain(self) -> bool:
        """Torch's module reads nothing: its value is known before the first batch."""
        return False

    @property
    def source(self) -> str | None:
        """The name of the field with the values; None for a constant that keeps its input."""
        return next((name for name in self.sources if getattr(self, name) is not None), None)

    def call(self) -> tuple[str, tuple[Any, ...], str]:
        """Return the name of torch's function, its arguments and the dtype."""
        name = self.source
        assert name is not None
        given, dtype = getattr(self, name), self.outputs()["output"].dtype
        if name == "value":
            return "tensor", (given,), dtype
        if name in {"ones", "zeros"}:
            return name, (given if isinstance(given, tuple) else (given,),), dtype
        if name == "full":
            sizes = given[0] if isinstance(given[0], tuple) else (given[0],)
            return name, (sizes, given[1]), dtype
        return name, given if isinstance(given, tuple) else (given,), dtype

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        name = self.source
        if x:
            at = name if name is not None else "dtype" if self.dtype is not None else None
            if at is not None:
                message = f"it keeps the value of its input, and {at} would give another one"
                raise ShapeError("NB208", message, at=at)
            return {"output": x[0]}
        if name is None:
            message = f"it needs one of {', '.join(self.sources)}, or an input"
            help_ = "write for example Constant: {zeros: [2, 3]}"
            raise ShapeError("NB105", message, help=help_)
        given = getattr(self, name)
        return {"output": Tensor(_sizes(name, given), self.dtype or _dtype(name, given))}

    def buffers(self, *x: Shape) -> dict[str, Tensor]:
        """Like a parameter, it has no module: its name is the item's name."""
        if not self.persistent:
            return {}
        return {"": Tensor(x[0])} if x else {"": self.outputs()["output"]}

    def range(self, *x: Range | None) -> Range | None:
        if x:
            return x[0]
        name = self.source
        least, most = _bounds(name, getattr(self, name)) if name else (-inf, inf)
        if self.dtype == "bool" and least < most:
            return Range(0, 1)
        return Range(least, most)

    def feeding(self, port: str, x: Sequence[Any]) -> Sequence[Any]:
        """No gradient goes to its input."""
        return ()


def _shape(value: Any) -> Shape | None:
    """Return the shape of numbers in lists; None if the lists have different lengths."""
    if not isinstance(value, tuple):
        return ()
    shapes = {_shape(part) for part in value}
    if len(shapes) > 1 or None in shapes:
        return None
    return (len(value), *(next(iter(shapes)) or ()))


def _flat(value: Any) -> Iterator[Number]:
    """Yield the numbers in lists."""
    if isinstance(value, tuple):
        for part in value:
            yield from _flat(part)
    else:
        yield value


def _expect_numbers(value: Any) -> None:
    if any(isnan(n) or MAX_FLOAT32 < abs(n) < inf for n in _flat(value)):
        raise unwanted("float32 numbers")


def _ends(arange: Any) -> tuple[Any, Any, Any]:
    if not isinstance(arange, tuple):
        return 0, arange, 1
    return (0, arange[0], 1) if len(arange) == 1 else (*arange, 1)[:3]


def _count(start: float, end: float, step: float) -> int:
    """Return the number of values of torch.arange, which counts them as float64; 0 if none."""
    try:
        return max(0, ceil((end - start) / step))
    except (OverflowError, ZeroDivisionError):
        return 0


def _sizes(name: str, given: Any) -> Shape:
    """Return the shape of the values of a field."""
    if name == "value":
        return _shape(given) or ()
    if name == "arange":
        return (_count(*_ends(given)),)
    if name in {"linspace", "logspace"}:
        return (given[2],)
    if name == "eye":
        return given if isinstance(given, tuple) else (given, given)
    sizes = given[0] if name == "full" else given
    return sizes if isinstance(sizes, tuple) else (sizes,)


def _dtype(name: str, given: Any) -> str:
    """Return torch's dtype of the values of a field."""
    if name not in {"value", "arange", "full"}:
        return "float32"
    types = {type(number) for number in _flat(given[1:] if name == "full" else given)}
    if float in types:
        return "float32"
    return "int64" if int in types else "bool"


def _bounds(name: str, given: Any) -> tuple[float, float]:
    """Return the least and the largest value of a field."""
    if name in {"ones", "zeros"}:
        return (1, 1) if name == "ones" else (0, 0)
    if name == "eye":
        return (0, 1) if given not in {1, (1, 1)} else (1, 1)
    if name == "full":
        return given[1], given[1]
    if name == "value":
        return min(_flat(given)), max(_flat(given))
    if name == "arange":
        start, end, step = _ends(given)
        ends = start, start + (_count(start, end, step) - 1) * step
    else:
        ends = given[:2] if given[2] > 1 else (given[0], given[0])
    if name == "logspace":
        base = given[3] if given[3:] else 10
        ends = _power(base, ends[0]), _power(base, ends[1])
    return min(ends), max(ends)


def _power(base: float, exponent: float) -> float:
    try:
        # A power of whole numbers could have millions of digits.
        found: float = float(base) ** exponent
    except OverflowError:
        return inf
    return found
