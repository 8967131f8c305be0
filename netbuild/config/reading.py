"""What a value could mean that its field does not take: the help, and the fix.

A reading of a value, such as `[3, 3]` for the text `(3, 3)`, is offered only if the field takes it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.diagnostics.diagnostic import Edit, Fix
from netbuild.diagnostics.exceptions import ExpressionError
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.syntax.edits import is_computed, replaced
from netbuild.syntax.expression import words_of
from netbuild.syntax.node import UNKNOWN, List, Node, Scalar
from netbuild.syntax.scalar import as_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import BaseModel

    from netbuild.syntax.expression import Names

#: What a value could mean: the help, and the fixes.
Advice = tuple[str | None, tuple[Fix, ...]]

_BOOLEANS = {"yes": True, "on": True, "y": True, "no": False, "off": False, "n": False}
_BOOLEANS |= {"true": True, "false": False}
_NOTHING = {"none", "nil", "nothing", "undefined"}
#: Sizes such as 3x32x32, `3, 32, 32`, `3; 32` and (3, 3), perhaps in brackets.
_SIZES = r"[(\[]? *(-?[\d.e+-]+(?:(?: *[x×*,;] *| +)-?[\d.e+-]+)*),? *[)\]]?"

#: What does not belong to a number: ~64, 0.1f, `10,` and 0.1.0.
_TOO_MUCH = r"^~|[fFdD,]$|(?<=\d)\.0$"


class Reading(NamedTuple):
    """A value that an author could have meant, and whether nothing else can be meant."""

    value: Any
    safe: bool = True
    #: The value as the author wrote it, if that is YAML.
    text: str | None = None
    #: Why YAML reads something else.
    why: str = ""


class Reader(NamedTuple):
    """Finds readings of the values of a component; `names` are those of its expressions."""

    component: type[BaseModel]
    values: Mapping[str, Any]
    names: Names

    def advice(self, field: str, node: Node) -> Advice:
        """Return the help and the fixes for a value that a field does not take."""
        if (hint := _of_expression(node)) is not None:
            return hint, ()
        is_text = isinstance(node, Scalar) and node.value == node.text
        if not is_text and replaced(node, "") is None and node.span.document.name != "--set":
            return None, ()
        readings = [one for one in _readings(node) if self.takes(field, one.value)]
        if readings:
            return _of_readings(node, readings)
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            return None, ()
        return self._computed(field, node) or self._word(field, node)

    def takes(self, field: str, value: Any) -> bool:
        """Whether a field takes a value."""
        from netbuild.syntax.calls import takes

        return takes(self.component, self.values, field, value)

    def _computed(self, field: str, node: Scalar) -> Advice | None:
        """Return the advice for a text that is an expression without its `$`, else None."""
        from netbuild.syntax.foreign import variable_in_braces

        braces = variable_in_braces(node.value)
        text = (braces or node.value.strip()).removeprefix("$")
        inner = text[1:-1] if text[:1] == "(" and text[-1:] == ")" else text
        if not re.search(r"[A-Za-z_]|\d *[-+*/%]", inner):
            return None
        value = _value(inner, self.names)
        if value is not UNKNOWN and self.takes(field, value):
            expression = f"${inner}" if inner.isidentifier() else f"$({inner})"
            written = f'"{expression}"' if re.search(r"[,\[\]{}#]", inner) else expression
            help_, fixes = _written(node, written, safe=True)
            if braces and node.span.document.name != "--set":
                fixes = (Fix(f"write {brief(written)}", (Edit(node.span, written),)),)
            return f"an expression begins with $: {help_}", fixes
        own = {name: v for name, v in self.values.items() if name != field}
        value = _value(inner, {**self.names, **own})
        if value is UNKNOWN or not self.takes(field, value):
            strange = sorted(words_of(inner) - {*self.names})
            if inner == text or not strange:
                return None
            names = " or ".join(strange)
            return f"an expression begins with $, and there is no variable {names}", ()
        help_, fixes = _written(node, as_yaml(value))
        return f"an expression knows variables, and no other fields: {help_}", fixes

    def _word(self, field: str, node: Scalar) -> Advice:
        """Return the advice for a misspelt word, or for a text that is no null."""
        from netbuild.syntax.other_names import VALUES, advice_for

        info = self.component.model_fields[field]
        words = [word for mark in info.metadata for word in getattr(mark, "words", ())]
        if node.value in words:  # another field forbids it
            return None, ()
        other = VALUES.get(node.value.lower())
        if other is not None and other in words:
            return _written(node, other)
        told = advice_for(node.value, words)
        if told is not None:
            return told, ()
        help_, fixes = did_you_mean(node.value, words, node.span)
        if help_ is None and node.value.lower() in {*_NOTHING, "null"} and not info.is_required():
            default = as_yaml(info.default) if info.default is not None else "null"
            help_ = f"{field} takes no null: leave it out for its default, {default}"
        return help_, fixes


def _of_readings(node: Node, readings: Sequence[Reading]) -> Advice:
    """Return the advice to write the first reading; of a nested list perhaps another one too."""
    first = readings[0]
    chosen = [first]
    if isinstance(node, List) and not first.safe:
        chosen += [one for one in readings if one.value != first.value][:1]
    written = [_written(node, one.text or as_yaml(one.value), safe=one.safe) for one in chosen]
    fixes = tuple(fix for _, fixes in written for fix in fixes)
    return first.why + ", or ".join(str(help_) for help_, _ in written), fixes


def _readings(node: Node) -> Iterator[Reading]:
    """Yield what a value could mean."""
    if isinstance(node, Scalar):
        yield from _of_text(node.value) if isinstance(node.value, str) else _of_number(node.value)
    elif isinstance(node, List):
        yield from _of_list(node)


def _of_list(node: List) -> Iterator[Reading]:
    """Yield the list with its numbers in one row, with one number of each part, or one number."""
    parts = [_numbers(item) for item in node.items]
    flat = [value for part in parts for value in part]
    ragged = all(isinstance(item, List) for item in node.items) and len({*map(len, parts)}) > 1
    if not flat or UNKNOWN in flat or ragged:  # a table with a gap is no row of numbers
        return
    is_flat = all(isinstance(item, Scalar) for item in node.items) and len(flat) == len(parts)
    for values in (flat, [_whole(value) for value in flat]):
        yield Reading(values, is_flat)
    if all(part and _are_equal(part) for part in parts):
        yield Reading([_whole(part[0]) for part in parts], safe=False)
    if _are_equal(flat):
        yield Reading(_whole(flat[0]), safe=False)


def _numbers(node: Node) -> list[Any]:
    """Return the values that an entry of a list stands for."""
    if isinstance(node, List):
        return [value for item in node.items for value in _numbers(item)]
    if not isinstance(node, Scalar):
        return [UNKNOWN]
    if not isinstance(node.value, str):
        return [node.value]
    value = next((reading.value for reading in _of_text(node.value)), UNKNOWN)
    return value if isinstance(value, list) else [value]


def _are_equal(values: Sequence[Any]) -> bool:
    return all(value == values[0] for value in values)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _of_number(value: Any) -> Iterator[Reading]:
    if isinstance(value, float) and value.is_integer():
        yield Reading(int(value))
    if type(value) is int and value in {0, 1}:
        yield Reading(bool(value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield Reading([value])


def _of_text(text: str) -> Iterator[Reading]:
    from netbuild.syntax.foreign import without_comma

    text = text.strip()
    bracketed = re.fullmatch(r"\( *([^(),]+?) *\)", text)
    if bracketed and (value := _plain(bracketed[1])) is not UNKNOWN:
        yield Reading(value, text=bracketed[1], why="this is a text: ")
    for part in (text, without_comma(text), text.replace("_", ""), re.sub(_TOO_MUCH, "", text)):
        value = _plain(part)
        if value is not UNKNOWN:
            safe = part in {text, text.replace("_", "")}
            yield Reading(value, safe, part, "this is a text: ")
            yield from _of_number(value)
    if text.lower() in _BOOLEANS:
        yield Reading(_BOOLEANS[text.lower()], why=f"{text} is a text in YAML 1.2: ")
    if text.lower() in _NOTHING:
        yield Reading(None)
    if text.endswith("%") and (share := _plain(text[:-1].strip())) is not UNKNOWN:
        yield Reading(share / 100, safe=False)
    sizes = re.fullmatch(_SIZES, text)
    if sizes:
        values = [_plain(part) for part in re.split(r"[x×*,;\s]+", sizes[1].strip()) if part]
        if UNKNOWN not in values:
            why = "YAML has no tuples: " if text.startswith("(") else ""
            yield Reading(values, why=why)
            if values[1:] and _are_equal(values):
                yield Reading(values[0], safe=False, why=why)


def _plain(text: str | None) -> Any:
    """Return the number or the null that a plain text stands for; UNKNOWN for any other text."""
    from netbuild.syntax.scalar import resolve

    if not text or len(text) > 40:
        return UNKNOWN
    try:
        value = resolve(text)
    except ValueError:
        return UNKNOWN
    return value if isinstance(value, (int, float)) and value == value else UNKNOWN  # noqa: PLR0124


def _of_expression(node: Node) -> str | None:
    """Return the help for a fraction that an expression computes."""
    if not isinstance(node, Scalar) or not isinstance(node.value, float):
        return None
    divides = is_computed(node) and "/" in node.text
    return "// gives a whole number, and / gives a fraction" if divides else None


def _value(text: str, names: Mapping[str, Any]) -> Any:
    """Return the value of an expression; UNKNOWN if it has none."""
    from netbuild.syntax.expression import evaluate

    try:
        return evaluate(text, names)
    except ExpressionError:
        return UNKNOWN


def _written(node: Node, text: str, *, safe: bool = False) -> Advice:
    """Return the advice to write a text for a value; without a fix if the value is computed."""
    edit = replaced(node, text)
    fixes = (Fix(f"write {brief(text)}", (edit,), safe=safe),) if edit else ()
    return f"write {brief(text)}", fixes
