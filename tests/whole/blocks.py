"""The parameters of a block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.whole.expression import evaluated
from tests.whole.refusal import Refusal

if TYPE_CHECKING:
    from tests.whole.network import Value
    from tests.whole.reader import Reader


def parameters(
    reader: Reader, kind: str, argument: Any, names: dict[str, Any], arrives: Value | None
) -> dict[str, Any]:
    """Return the names that a block sees.

    Raises:
        Refusal: a parameter that the block lacks, or one that is missing.
    """
    declared = reader.blocks[kind].get("params") or {}
    if isinstance(declared, list):
        declared = dict.fromkeys(declared)
    given = {} if argument is None else argument
    if not isinstance(given, dict):
        if not declared:
            raise Refusal(f"{kind} has no parameters")
        given = {next(iter(declared)): given}
    if unknown := set(given) - set(declared):
        raise Refusal(f"{kind} has no parameter {unknown}")
    found = dict(reader.variables)
    for name, default in declared.items():
        if name in given:
            found[name] = evaluated(given[name], names)
        elif default is None:
            raise Refusal(f"{kind} needs {name}")
        else:
            found[name] = evaluated(default, reader.known(found, arrives))
    return found
