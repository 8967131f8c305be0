"""Arguments by their order, as in calls of Python: `Linear(64, 10)` and `Linear: [64, 10]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from netbuild.components.component import FromInput, bare_field
from netbuild.diagnostics.diagnostic import Edit, Fix
from netbuild.diagnostics.wording import brief
from netbuild.syntax.scalar import as_yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from netbuild.syntax.node import Scalar

#: The longest call that is read.
_LONGEST = 200


def advice(key: Scalar, word: str, known: Collection[str]) -> tuple[str | None, tuple[Fix, ...]]:
    """Return the help and the fix for a type that is written as a call, such as `Linear(10)`."""
    name = word.partition("(")[0]
    if name not in known:
        return None, ()
    component = known[name] if hasattr(known, "__getitem__") else None
    values = _arguments(word)
    if values is not None and isinstance(component, type) and issubclass(component, BaseModel):
        kept = by_name(component, *values)
        if kept is not None:
            arguments = written(component, kept)
            item = f"{name}: {arguments}" if arguments else name
            alone = _is_alone(key)
            item_there = item if alone or not arguments else f"{{{item}}}"
            fix = Fix(f"write {brief(item_there, 60)}", (Edit(key.span, item_there),))
            return f"write {item}{left_out(component, values[0], kept)}", (fix,)
    return f"write the arguments as a mapping: {name}: {{name: value}}", ()


def by_name(
    component: type[BaseModel], values: Sequence[Any], keywords: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return arguments in torch's order by their names; None if the component does not take them.

    Fields that the input decides are left out. The values may begin with such fields, or behind
    them.
    """
    fields = component.model_fields
    own = [name for name in fields if not from_input(component, name)]
    for order in (list(fields), own):
        if len(values) > len(order):
            continue
        given = {**dict(zip(order, values, strict=False)), **keywords}
        kept = {name: value for name, value in given.items() if name in own or name not in fields}
        if takes_all(component, kept):
            return kept
    return None


def takes_all(component: type[BaseModel], values: Mapping[str, Any]) -> bool:
    """Whether a component takes all of these values."""
    try:
        component.model_validate(values)
    except ValidationError:
        return False
    return True


def takes(component: type[BaseModel], values: Mapping[str, Any], field: str, value: Any) -> bool:
    """Whether a field takes a value, next to the values of the other fields."""
    try:
        component.model_validate({**values, field: value})
    except ValidationError as error:
        return all(details["loc"][:1] != (field,) for details in error.errors(include_url=False))
    return True


def written(component: type[BaseModel], values: Mapping[str, Any]) -> str:
    """Return arguments as YAML: nothing, a bare value, or a mapping."""
    if list(values) == [bare_field(component)]:
        return as_yaml(next(iter(values.values())))
    inside = ", ".join(f"{name}: {as_yaml(value)}" for name, value in values.items())
    return f"{{{inside}}}" if inside else ""


def left_out(component: type[BaseModel], values: Sequence[Any], kept: Mapping[str, Any]) -> str:
    """Return the words for the fields that stood in the call, and that the input decides."""
    decided = [name for name in component.model_fields if from_input(component, name)]
    if len(values) <= len(kept) or not decided:
        return ""
    return f", because the input decides {decided[0]}"


def from_input(component: type[BaseModel], name: str) -> bool:
    """Whether the input decides a field, so that it may be left out."""
    return any(isinstance(mark, FromInput) for mark in component.model_fields[name].metadata)


def _arguments(call: str) -> tuple[list[Any], dict[str, Any]] | None:
    """Return the literal arguments of a call, without and with names; None for other texts."""
    import ast

    try:
        tree = ast.parse(call[:_LONGEST], mode="eval").body
        if not isinstance(tree, ast.Call):
            return None
        keywords = {k.arg or "": ast.literal_eval(k.value) for k in tree.keywords}
        return [ast.literal_eval(value) for value in tree.args], keywords
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None


def _is_alone(key: Scalar) -> bool:
    """Whether an item stands in a list, where `Linear: 10` needs no braces."""
    before = key.span.document.lines[key.span.line - 1][: key.span.column - 1].rstrip()
    return before.endswith(("-", "[", ","))
