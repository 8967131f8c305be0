"""Random files with a wrong literal behind expressions, blocks, aliases, a base or --set.

Each fix that is offered for them is applied alone. Every `$expression` and every alias must read as
before, and a base may change only if it has the fault by itself. `python -m
tests.graph.behind_expressions 10000` tries more files than the tests.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.diagnostics.diagnostic import errors
from netbuild.syntax.node import List, Map, Node, Scalar, plain
from netbuild.syntax.parser import from_bytes, from_file
from netbuild.syntax.repair import edited

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.diagnostics.diagnostic import Fix

#: Right values of the variables, and wrong ones.
RIGHT = {"width": ["8", "16"], "k": ["3", "5"], "act": ["ReLU", "Tanh"], "flag": ["true"]}
WRONG = {
    "width": ['"16"', "'8'", "1_6", "0", "wide", "-3"],
    "k": ['"3"', "19", "0", "[3, 25]", "3_0"],
    "act": ["Relu", "tanh", "ReLu", "Softmacs"],
    "flag": ["yes", "no", "off"],
}
#: The same values where a number is computed.
EXPRESSIONS = {"width": "$(2 * half)", "k": "$(half // 2 + 1)"}

#: Where the wrong literal stands. With `input`, the values of the base are too large for the child.
PLACES = ("vars", "use", "default", "literal", "set", "child", "base", "input")


class Case(NamedTuple):
    """A file, perhaps with a base, and the settings of --set."""

    files: dict[str, str]
    settings: tuple[str, ...]

    def show(self) -> str:
        """Return the case as text."""
        files = "".join(f"--- {name}\n{text}" for name, text in self.files.items())
        return f"{files}--set {self.settings}\n"


def case(draw: random.Random) -> Case:
    """Return a random case."""
    wrong = draw.choice([*RIGHT])
    bad = draw.choice(WRONG[wrong])
    place = draw.choice([*PLACES])
    right = {name: draw.choice(values) for name, values in RIGHT.items()}
    variables = right | {"half": "4"} | ({wrong: bad} if place in {"vars", "base"} else {})
    anchored = draw.choice([*RIGHT, None])
    if anchored:
        variables[anchored] = f"&x {variables[anchored]}"

    def value(name: str) -> str:
        if name == anchored and draw.random() < 0.6:
            return "*x"
        computed = [EXPRESSIONS[name]] if name in EXPRESSIONS else []
        return draw.choice([f"${name}", f"${name}", f"$({name})", right[name], *computed])

    default = {name: draw.choice(values) for name, values in RIGHT.items()}
    own = {name: value(name) for name in RIGHT}
    use = {name: value(name) for name in draw.sample([*RIGHT], draw.randint(0, 3))}
    if place == "default":
        default[wrong] = bad
        use.pop(wrong, None)
    elif place in {"use", "literal"}:
        {"use": use, "literal": own}[place][wrong] = bad
    text = _text(draw, variables, default, own, use)
    settings = (f"vars.{wrong}={bad}",) if place == "set" else ()
    child = {"child": f"vars: {{{wrong}: {bad}}}\n", "input": "input: [3, 1, 1]\n"}.get(place, "")
    if place in {"child", "base", "input"} or draw.random() < 0.3:
        files = {"base.yaml": text, "net.yaml": "extends: base.yaml\n" + child}
        return Case(files, settings)
    return Case({"net.yaml": text}, settings)


def _text(
    draw: random.Random,
    variables: dict[str, str],
    default: dict[str, str],
    own: dict[str, str],
    use: dict[str, str],
) -> str:
    """Return the text of a file: its variables, a block, and layers that use both."""
    params = ", ".join(f"{name}: {text}" for name, text in default.items())
    arguments = ", ".join(f"{name}: {text}" for name, text in use.items())
    used = f"Conv: {{{arguments}}}" if arguments else "Conv"
    conv = "Conv2d: {out_channels: $width, kernel_size: $k, padding: 1, bias: $flag}"
    layers = [
        f"{{{used}}}" if ":" in used else used,
        f"{{Conv2d: {{out_channels: {own['width']}, kernel_size: {own['k']}, padding: 1}}}}",
        own["act"],
        "{Conv: {width: 4}}",
        f"{{Dropout: {{inplace: {own['flag']}}}}}",
        "Flatten",
        f"{{Linear: {own['width']}}}",
    ]
    layers = [layer for layer in layers if draw.random() < 0.85]
    named = draw.random() < 0.5
    keys = [f"  l{n}: " if named else "  - " for n in range(len(layers))]
    body = "".join(f"{key}{layer}\n" for key, layer in zip(keys, layers, strict=True))
    return (
        "input: [3, 12, 12]\nvars:\n"
        + "".join(f"  {name}: {text}\n" for name, text in variables.items())
        + f"blocks:\n  Conv:\n    params: {{{params}}}\n    layers: [{{{conv}}}, $act]\n"
        + f"layers:\n{body or '  - ReLU'}\n"
    )


def check(one: Case) -> Counter[str]:
    """Apply each fix of a case alone, and return what happened.

    Raises:
        AssertionError: a fix changed an expression, an alias or another file.
    """
    seen: Counter[str] = Counter()
    with TemporaryDirectory() as folder:
        for name, text in one.files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        found = infer(read(from_file(Path(folder, "net.yaml")), one.settings)).diagnostics
        alone = errors(infer(read(from_file(Path(folder, next(iter(one.files)))))).diagnostics)
    of_base = {(fault.code, fault.span[1:]) for fault in alone}
    seen["files"] += 1
    seen["faults"] += len(errors(found))
    for fault in errors(found):
        for fix in fault.fixes:
            seen["fixes"] += 1
            seen["moved"] += not any(_is_at(edit.span, fault.span) for edit in fix.edits)
            _check_fix(one, fix, in_base=(fault.code, fault.span[1:]) in of_base)
    return seen


def _is_at(span: tuple, other: tuple) -> bool:  # type: ignore[type-arg]
    return span[0] is other[0] and span[1] == other[1]


def _check_fix(one: Case, fix: Fix, *, in_base: bool) -> None:
    documents = {edit.span.document.name: edit.span.document for edit in fix.edits}
    assert len(documents) == 1, f"{one.show()}{fix}"
    for path, document in documents.items():
        name = Path(path).name
        right = name == "net.yaml" or in_base  # then the base alone has the fault
        assert right, f"{name} changed: {fix.title}\n{one.show()}"
        after = from_bytes(path, edited(document, fix.edits)).root
        before = from_bytes(path, document.data).root
        assert before is not None, one.show()
        assert after is not None, f"{fix.title}\n{one.show()}"
        assert [*_fixed(before)] == [*_fixed(after)], f"{fix.title}\n{one.show()}"


def _fixed(root: Node) -> Iterator[object]:
    """Yield the expressions of a tree, and the values of its aliases, in their order."""
    seen: set[int] = set()
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, Scalar) and isinstance(node.value, str) and "$" in node.value:
            yield node.value
        if id(node) in seen:
            yield "alias", plain(node)
            continue
        seen.add(id(node))
        if isinstance(node, List):
            pending += reversed(node.items)
        elif isinstance(node, Map):
            pending += [entry.value for entry in reversed(node.entries.values())]


def main(count: int, seed: int) -> None:
    """Check random cases, and print what happened."""
    total: Counter[str] = Counter()
    for number in range(count):
        total += check(case(random.Random(seed * 1_000_003 + number)))  # noqa: S311
    print(dict(total))  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
