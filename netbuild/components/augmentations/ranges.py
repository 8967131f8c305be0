"""Types of fields that augmentations share: ranges, numbers around a centre, kornia's names."""

from typing import Annotated, Any

from pydantic_core import core_schema
from pydantic_core.core_schema import CoreSchema

from netbuild.components.component import LARGEST
from netbuild.components.fields import MAX_FLOAT32, Wants, either, optional, real, whole


def rising(low: float | None = None, high: float | None = None) -> CoreSchema:
    """Return the schema of a range of float32 numbers within limits."""
    return _rising(number(low, high))


def number(low: float | None = None, high: float | None = None) -> CoreSchema:
    """Return the schema of a float32 number from `low` to `high`, both included."""
    return real(ge=-MAX_FLOAT32 if low is None else low, le=MAX_FLOAT32 if high is None else high)


def positive() -> CoreSchema:
    """Return the schema of a number above 0 that is also above 0 in float32."""
    return number(2.0**-126)


def positive_interval() -> Wants:
    """Return the mark of a range above 0."""
    return Wants(
        "a list of two numbers above 0, the first not above the second", _rising(positive())
    )


def between(low: float | None = None, high: float | None = None) -> Wants:
    """Return the mark of a number within limits."""
    return Wants(f"a number{_within(low, high)}", number(low, high))


def interval(low: float | None = None, high: float | None = None) -> Wants:
    """Return the mark of a range."""
    return Wants(_phrase("numbers", low, high), rising(low, high))


def optional_interval(low: float | None = None, high: float | None = None) -> Wants:
    """Return the mark of a range that may be null."""
    return Wants(f"{_phrase('numbers', low, high)}; or null", optional(rising(low, high)))


def around(most: float | None, low: float | None = None, high: float | None = None) -> Wants:
    """Return the mark of a range, or of its reach to both sides, at most `most`."""
    one = f"a number{_within(0, most)}"
    return Wants(
        f"{one}, or {_phrase('numbers', low, high)}",
        either(number(0, most), rising(low, high)),
    )


def single(low: float, high: float) -> Wants:
    """Return the mark of a number within limits, or of a range of such numbers."""
    one = f"a number{_within(low, high)}"
    return Wants(
        f"{one}, or {_phrase('such numbers')}", either(number(low, high), rising(low, high))
    )


def whole_interval(low: int | None = None, high: int | None = None) -> Wants:
    """Return the mark of a range of whole numbers."""
    one = core_schema.int_schema(strict=True, ge=_least(low), le=LARGEST if high is None else high)
    return Wants(_phrase("whole numbers", low, high), _rising(one))


def _least(low: int | None) -> int:
    return -LARGEST if low is None else low


def _phrase(what: str, low: float | None = None, high: float | None = None) -> str:
    return f"a list of two {what}{_within(low, high)}, the first not above the second"


def _within(low: float | None, high: float | None) -> str:
    if low is None:
        return ""
    return f" of at least {low:g}" if high is None else f" from {low:g} to {high:g}"


def _rising(one: CoreSchema) -> CoreSchema:
    pair = core_schema.tuple_schema([one, one])
    return core_schema.no_info_after_validator_function(_expect_rising, pair)


def _expect_rising(values: Any) -> Any:
    if values[0] > values[1]:
        raise ValueError
    return values


def _named(*words: str) -> Wants:
    """Return the mark of a name that kornia takes in upper case and in lower case."""
    *first, last = words
    either_case = [*words, *map(str.upper, words)]
    return Wants(f"{', '.join(first)} or {last}", core_schema.literal_schema(either_case))


def _pair(one: CoreSchema) -> CoreSchema:
    return core_schema.tuple_schema([one, one])


def _odd(at_least: int) -> CoreSchema:
    return core_schema.no_info_after_validator_function(_expect_odd, whole(at_least))


def _expect_odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError
    return value


Number = Annotated[float, between()]
Resample = Annotated[str, _named("nearest", "bilinear", "bicubic")]
SamplePadding = Annotated[str, _named("zeros", "border", "reflection")]
BorderType = Annotated[str, _named("constant", "reflect", "replicate", "circular")]
CroppingMode = Annotated[
    str, Wants("slice or resample", core_schema.literal_schema(["slice", "resample"]))
]

Size = Annotated[
    tuple[int, int],
    Wants("a list of two whole numbers of at least 1, height and width", _pair(whole(1))),
]
SideOrSize = Annotated[
    int | tuple[int, int],
    Wants(
        "a whole number of at least 1, or a list of two, height and width",
        either(whole(1), _pair(whole(1))),
    ),
]
Kernel = Annotated[
    tuple[int, int], Wants("a list of two odd numbers, height and width", _pair(_odd(1)))
]
SideOrKernel = Annotated[
    int | tuple[int, int],
    Wants("an odd number, or a list of two, height and width", either(_odd(1), _pair(_odd(1)))),
]
#: Length of a motion, or the range of its length.
Lengths = Annotated[
    int | tuple[int, int],
    Wants(
        "an odd number of at least 3, or a list of two, the first not above the second",
        either(_odd(3), _rising(_odd(3))),
    ),
]
#: Angles in degrees.
Degrees = Annotated[float | tuple[float, float], around(360, -360, 360)]
#: Angles along x, and optionally along y.
Shear = tuple[float, float] | tuple[float, float, float, float] | float
SHEAR = either(
    number(0, 360),
    rising(-360, 360),
    core_schema.no_info_after_validator_function(
        lambda values: _expect_rising(values[:2]) + _expect_rising(values[2:]),
        core_schema.tuple_schema([number(-360, 360)] * 4),
    ),
)
SHEAR_PHRASE = (
    "a number from 0 to 360, or a list of two or four numbers from -360 to 360: one or two ranges"
)
