"""Values of one expression in all uses of a block, and what they follow from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from netbuild.exchange.importer.folding.tree import Expression

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.components.tensor import Shape

#: The values of one expression in all uses; None where it does not matter.
Vector: TypeAlias = tuple[Any, ...]

#: The largest factor of an expression.
LARGEST = 64


def equal(a: Any, b: Any) -> bool:
    """Whether two values are the same in a config: 1 is neither true nor 1.0."""
    return type(a) is type(b) and bool(a == b)


def same(vector: Vector) -> bool:
    """Whether a value is the same in all uses that have it."""
    there = [value for value in vector if value is not None]
    return all(equal(there[0], value) for value in there)


def agrees(vector: Vector, other: Vector) -> bool:
    """Whether a vector is another one, where it matters."""
    return all(
        v is None or (o is not None and equal(v, o)) for v, o in zip(vector, other, strict=True)
    )


def shapes_of(x: Sequence[Shape | None], count: int) -> dict[str, Vector]:
    """Return what an expression knows of the shapes of an input in all uses."""
    if len(x) != count or not any(x):
        return {}
    first = tuple(shape[0] if shape else None for shape in x)
    last = tuple(shape[-1] if shape else None for shape in x)
    single = all(shape is None or len(shape) == 1 for shape in x)
    deep = all(shape is None or len(shape) > 2 for shape in x)
    if single or not deep:
        return {"in_features": last} if single else {"in_features": last, "in_channels": first}
    return {"in_channels": first, "in_features": last}


def derived(vector: Vector, known: Mapping[str, Vector]) -> str | None:
    """Return the expression of a vector from one of others; None if it follows from none."""
    for name, other in known.items():
        if agrees(vector, other):
            return name
    for name, other in known.items():
        pairs = [(v, o) for v, o in zip(vector, other, strict=True) if v is not None]
        if all(type(v) is int and type(o) is int and v >= 0 and o > 0 for v, o in pairs):
            rule = _multiple([(int(v), int(o)) for v, o in pairs])
            if rule:
                return f"{name} {rule}"
    return None


def _multiple(pairs: Sequence[tuple[int, int]]) -> str | None:
    """Return `* 4` or `// 2`, if this makes each first number of the second one."""
    value, base = max(pairs)
    if len({other for _, other in pairs}) < 2:
        return None
    if value > base:
        factor = value // base
        fits = factor <= LARGEST and all(v == o * factor for v, o in pairs)
        return f"* {factor}" if fits else None
    factors = range(2, min(base, LARGEST) + 1)
    whole = [n for n in factors if value and all(v == o // n for v, o in pairs)]
    exact = [n for n in whole if all(o % n == 0 for _, o in pairs)]
    return f"// {(exact or whole)[0]}" if whole else None


def expression(text: str) -> Expression:
    """Return a rule as a config writes it: `$name` or `$(name * 2)`."""
    return Expression(f"${text}" if text.isidentifier() else f"$({text})")


def comparison(
    vector: Vector,
    shapes: Mapping[str, Vector],
    sizes: Mapping[str, Vector],
    stride: Vector | None,
) -> str | None:
    """Return a comparison of sizes that is true in the uses where the vector is true."""
    tests: dict[str, Vector] = {}
    for name, own in shapes.items():
        for text, values in sizes.items():
            pairs = list(zip(own, values, strict=True))
            if all(type(a) is int and type(b) is int for a, b in pairs):
                tests[f"{name} != {text}"] = tuple(a != b for a, b in pairs)
                tests[f"{name} == {text}"] = tuple(a == b for a, b in pairs)
    if stride is not None and all(type(s) is int for s in stride):
        for text, found in list(tests.items()):
            pairs = list(zip(stride, found, strict=True))
            if "!=" in text:
                tests[f"stride != 1 or {text}"] = tuple(s != 1 or f for s, f in pairs)
            else:
                tests[f"stride == 1 and {text}"] = tuple(s == 1 and f for s, f in pairs)
        tests["stride == 1"] = tuple(s == 1 for s in stride)
        tests["stride != 1"] = tuple(s != 1 for s in stride)
    return next((text for text, found in tests.items() if found == vector), None)
