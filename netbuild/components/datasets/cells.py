"""The cells of a table of text: what kind of values a column holds, and the value of a cell."""

import re
from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

#: Texts that pandas, and therefore `datasets`, reads as a missing value.
#: https://pandas.pydata.org/docs/reference/api/pandas.read_csv.html, na_values
MISSING = frozenset(
    {
        *("", "None", "NULL", "null", "NaN", "nan", "-NaN", "-nan", "NA", "N/A", "n/a", "<NA>"),
        *("#NA", "#N/A", "#N/A N/A", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    }
)
BOOLEANS = {"true": True, "false": False}
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)([T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?)?(Z|[+-]\d\d:?\d\d)?",
    flags=re.ASCII,
)
_ORDERED = re.compile(r"(\d{1,4})([/.-])(\d{1,2})\2(\d{1,4})([T ]+\d\d?:\d\d(:\d\d)?)?")
_NAMED = re.compile(
    r"([A-Z][a-z]{2})[a-z]*\.? (\d{1,2}),? (\d{4})|(\d{1,2})\.? ([A-Z][a-z]{2})[a-z]* (\d{4})"
)
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}
#: A date as a whole number, such as 20240229.
_DIGITS = re.compile(r"(1[5-9]|20)\d\d[01]\d[0-3]\d")
_UNITS = "%$€£¥"


class Format(NamedTuple):
    """How numbers and dates are written, and which texts mean that a value is missing."""

    decimal: str = "."
    thousands: str | None = None
    dayfirst: bool | None = None
    missing: frozenset[str] = MISSING


PLAIN = Format()


class Kind(NamedTuple):
    """The kind of a column: `int64`, `float64`, `bool`, `date` or `string`.

    All its numbers have the same `unit`, such as %, or none.
    """

    name: str
    unit: str = ""


@lru_cache
def _patterns(decimal: str, thousands: str | None) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return the patterns of a whole number and of any number."""
    point, group = re.escape(decimal), re.escape(thousands or "")
    digits = rf"(?:\d+|\d{{1,3}}(?:{group}\d{{3}})+)" if thousands else r"\d+"
    short = rf"(?:\d{{1,18}}|\d{{1,3}}(?:{group}\d{{3}}){{1,5}})" if thousands else r"\d{1,18}"
    number = rf"({digits}{point}?\d*|{point}\d+)(e[+-]?\d+)?|inf(inity)?"
    whole = re.compile(rf"\s*[+-]?{short}\s*")
    return whole, re.compile(rf"\s*[+-]?({number})\s*", flags=re.IGNORECASE)


def kind_of(texts: Collection[str], how: Format) -> Kind:
    """Return the kind of a column that holds these texts and no others."""
    whole, number = _patterns(how.decimal, how.thousands)
    if all(map(whole.fullmatch, texts)):
        return Kind("int64")
    if all(map(number.fullmatch, texts)):
        return Kind("float64")
    if all(text.lower() in BOOLEANS for text in texts):
        return Kind("bool")
    if all(map(is_date, texts)):
        return Kind("date")
    unit = _unit(next(iter(texts)))
    if unit and all(_unit(text) == unit and text.count(unit) == 1 for text in texts):
        bare = [text.replace(unit, "") for text in texts]
        if all(map(number.fullmatch, bare)):
            return Kind("int64" if all(map(whole.fullmatch, bare)) else "float64", unit)
    return Kind("string")


def _unit(text: str) -> str:
    """Return the unit before or behind a number."""
    text = text.strip().lstrip("+-")
    return next((c for c in (text[:1], text[-1:]) if c and c in _UNITS), "")


def number_in(text: str, how: Format, unit: str = "") -> int | float | None:
    """Return the number that a cell holds; None if it holds something else."""
    bare = text.replace(unit, "") if unit else text
    whole, number = _patterns(how.decimal, how.thousands)
    if not number.fullmatch(bare):
        return float(BOOLEANS[bare.lower()]) if bare.lower() in BOOLEANS else None
    is_whole = whole.fullmatch(bare) is not None
    if how.thousands:
        bare = bare.replace(how.thousands, "")
    if how.decimal != ".":
        bare = bare.replace(how.decimal, ".")
    return int(bare) if is_whole else float(bare)


def field_for(text: str) -> str | None:
    """Return the fields with which a cell of text is a number; None without any."""
    unit = _unit(text)
    found = []
    for decimal, thousands in _WRITTEN:
        how = Format(decimal, thousands)
        if (thousands or "") in text and number_in(text, how, unit) is not None:
            fields = {"decimal": decimal} if decimal != "." else {}
            fields |= {"thousands": thousands} if thousands else {}
            found.append(" and ".join(f'{name}: "{value}"' for name, value in fields.items()))
    return ", or ".join(found[:2]) or None


#: How numbers are written elsewhere: the decimal character, and the one between thousands.
_WRITTEN = ((",", None), (".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (".", "_"))


def is_date(text: str) -> bool:
    """Whether a cell holds a date, perhaps with a time."""
    text = text.strip()
    if _ISO.fullmatch(text) or _ORDERED.fullmatch(text):
        return True
    match = _NAMED.fullmatch(text)
    return match is not None and (match[1] or match[5]) in _MONTHS


def are_digits_of_dates(texts: Collection[str]) -> bool:
    """Whether whole numbers may be dates, such as 20240229. They are numbers unless asked."""
    return bool(texts) and all(_DIGITS.fullmatch(text.strip()) for text in texts)


def order_of(texts: Collection[str]) -> bool | None:
    """Return whether the day comes before the month in dates; None if they do not tell."""
    parts = [match for text in texts if (match := _ORDERED.fullmatch(text.strip()))]
    first = [int(m[1]) for m in parts if len(m[1]) <= 2]
    second = [int(m[3]) for m in parts if len(m[1]) <= 2]
    if not first:
        return False
    if max(first) > 12 or max(second) > 12:
        return max(first) > 12
    return None


def date_in(text: str, *, dayfirst: bool) -> datetime | None:
    """Return the date of a cell, without its time zone; None if there is no such day."""
    text = text.strip()
    try:
        if match := _ISO.fullmatch(text):
            return datetime.fromisoformat(_iso(match))
        if match := _NAMED.fullmatch(text):
            month, day, year = match[1] or match[5], match[2] or match[4], match[3] or match[6]
            return datetime(int(year), _MONTHS[month], int(day))  # noqa: DTZ001  as it is written
        if _DIGITS.fullmatch(text):
            return datetime(int(text[:4]), int(text[4:6]), int(text[6:]))  # noqa: DTZ001
        match = _ORDERED.fullmatch(text)
        if match is None:
            return None
        first, second, third = int(match[1]), int(match[3]), int(match[4])
        if len(match[1]) <= 2:
            third += 0 if len(match[4]) > 2 else 2000 if third < 69 else 1900
            day, month = (first, second) if dayfirst else (second, first)
            first, second, third = third, month, day
        hour, minute, second_ = ([int(n) for n in (match[5] or "0:0").split(":")] + [0])[:3]
        return datetime(first, second, third, hour, minute, second_)  # noqa: DTZ001  as it is written
    except ValueError:
        return None


def _iso(match: re.Match[str]) -> str:
    """Return a date as Python 3.10 reads it: with at most six digits of a second."""
    time = (match[4] or "").replace(",", ".")
    whole, _, part = time.partition(".")
    return f"{match[1]}-{match[2]}-{match[3]}{whole}" + (f".{part[:6]:0<6}" if part else "")


def value_in(text: str, kind: Kind, how: Format) -> Any:
    """Return the value of a cell of a column; None if it is not of the column's kind."""
    if kind.name in {"int64", "float64"}:
        return number_in(text, how, kind.unit)
    if kind.name == "bool":
        return BOOLEANS.get(text.lower())
    return text
