"""Types of fields that components share. Each type describes its values in one phrase.

Each type is written twice: as an annotation for a type checker, and as the schema that pydantic
would derive from it. With the schema given, pydantic declares the 150 classes of a catalogue in a
fraction of the time. The phrase replaces pydantic's messages, because a union gives one message
for every member. Numbers and booleans are strict: `true` is not a number, and `"3"` is text.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic_core import PydanticCustomError, core_schema
from pydantic_core.core_schema import CoreSchema

from netbuild.components.component import LARGEST, FromInput


class Wants:
    """Marks a field with the schema of its values and with a phrase that describes these values."""

    def __init__(self, phrase: str, schema: CoreSchema) -> None:
        self.phrase = phrase
        self.schema = core_schema.custom_error_schema(schema, "wants", custom_error_message=phrase)

    @property
    def words(self) -> list[str]:
        """The words among the values, such as `same` and `valid`."""
        return list(_words(self.schema))

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        """Give pydantic the schema, so that it derives none from the annotation."""
        return self.schema


def _words(schema: Any) -> Iterator[str]:
    """Yield the words of the literals in a schema."""
    if isinstance(schema, dict):
        if schema.get("type") == "literal":
            yield from (word for word in schema["expected"] if isinstance(word, str))
        for part in (schema.get("schema"), *schema.get("choices", ())):
            yield from _words(part)


#: The largest number of float32.
MAX_FLOAT32 = (2 - 2**-23) * 2.0**127


def unwanted(phrase: str) -> PydanticCustomError:
    """Return the error of a validator; `phrase` describes the values that the field takes."""
    return PydanticCustomError("wants", "{phrase}", {"phrase": phrase})


def wrong_value(at: Sequence[str], phrase: str) -> PydanticCustomError:
    """Return the error of a value inside a mapping; the names in `at` lead to it."""
    return PydanticCustomError("inside", "{phrase}", {"phrase": phrase, "at": [*at]})


def wrong_name(at: Sequence[str], fields: Sequence[str]) -> PydanticCustomError:
    """Return the error of a name inside a mapping that has other fields."""
    return PydanticCustomError("inside", "", {"at": [*at], "fields": [*fields]})


def whole(at_least: int | None = None) -> CoreSchema:
    """Return the schema of a whole number."""
    return core_schema.int_schema(strict=True, ge=at_least, le=LARGEST)


def real(
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> CoreSchema:
    """Return the schema of a finite number."""
    return core_schema.float_schema(strict=True, allow_inf_nan=False, ge=ge, gt=gt, le=le, lt=lt)


def either(*schemas: CoreSchema) -> CoreSchema:
    """Return the schema of a union."""
    return core_schema.union_schema(list(schemas), mode="left_to_right")


def many(item: CoreSchema, *, at_least: int = 0) -> CoreSchema:
    """Return the schema of a list; pydantic turns the list into a tuple."""
    return core_schema.tuple_schema([item], variadic_item_index=0, min_length=at_least)


def fields(required: Mapping[str, CoreSchema], others: Mapping[str, CoreSchema]) -> CoreSchema:
    """Return the schema of a mapping with these fields. The others are null by default."""
    filled = {n: core_schema.with_default_schema(one, default=None) for n, one in others.items()}
    every = {**required, **filled}
    return core_schema.typed_dict_schema(
        {
            name: core_schema.typed_dict_field(one, required=name in required)
            for name, one in every.items()
        },
        extra_behavior="forbid",
    )


def one_of(*words: str) -> Wants:
    """Return the mark of a field that takes one of a few words."""
    *first, last = words
    return Wants(f"{', '.join(first)} or {last}", core_schema.literal_schema(list(words)))


def optional(schema: CoreSchema) -> CoreSchema:
    """Return the schema that also takes null."""
    return core_schema.nullable_schema(schema)


def switch(wanted: str) -> Wants:
    """Return the mark of a field that is true, false or null; null lets something else decide."""
    return Wants(wanted, optional(core_schema.bool_schema(strict=True)))


Bool = Annotated[bool, Wants("true or false", core_schema.bool_schema(strict=True))]
Int = Annotated[int, Wants("a whole number", whole())]
PositiveInt = Annotated[int, Wants("a whole number of at least 1", whole(1))]
NaturalInt = Annotated[int, Wants("a whole number of at least 0", whole(0))]
Float = Annotated[float, Wants("a number", real())]
#: A number that torch converts to float32.
Float32 = Annotated[float, Wants("a float32 number", real(ge=-MAX_FLOAT32, le=MAX_FLOAT32))]
PositiveFloat = Annotated[float, Wants("a number greater than 0", real(gt=0))]
NaturalFloat = Annotated[float, Wants("a number of at least 0", real(ge=0))]
Probability = Annotated[float, Wants("a number from 0 to 1", real(ge=0, le=1))]
OptionalText = Annotated[
    str | None, Wants("text", optional(core_schema.str_schema(strict=True, min_length=1)))
]
OptionalCount = Annotated[int | None, Wants("a whole number of at least 1", optional(whole(1)))]

#: One number for all axes, or a list with one number for each; `Spatial` checks the length.
Sizes = Annotated[
    int | tuple[int, ...],
    Wants(
        "a whole number of at least 1, or a list with one for each axis",
        either(whole(1), many(whole(1))),
    ),
]
Paddings = Annotated[
    int | tuple[int, ...],
    Wants(
        "a whole number of at least 0, or a list with one for each axis",
        either(whole(0), many(whole(0))),
    ),
]
#: Sizes that may be null, where another field decides them.
OptionalSizes = Annotated[
    int | tuple[int, ...] | None,
    Wants(
        "a whole number of at least 1, a list with one for each axis, or null",
        optional(either(whole(1), many(whole(1)))),
    ),
]
#: The sizes of a tensor; an empty list for a single number.
Shaped = Annotated[tuple[int, ...], Wants("a list of whole numbers of at least 1", many(whole(1)))]

#: A size that the input decides; `Layer.decide` computes it.
SizeFromInput = Annotated[
    int | None, Wants("a whole number of at least 1", optional(whole(1))), FromInput()
]
