"""Breaks: each takes a right file and makes one mistake in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Edit
from netbuild.syntax.node import List, Scalar
from netbuild.syntax.repair import edited

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from netbuild.diagnostics.diagnostic import Span
    from tests.broken.right import Part, Right

_WIDTHS = {
    *("in_features", "in_channels", "num_features", "num_channels", "out_channels", "out_features"),
    *("input_size", "hidden_size", "embed_dim", "num_heads", "num_groups", "groups", "width"),
    *("normalized_shape", "channels", "num_embeddings", "embedding_dim"),
}
_KERNELS = {"kernel_size", "stride", "padding", "dilation", "kernel", "output_size", "scale_factor"}
_AXES = {"dim", "dim0", "dim1", "start_dim", "end_dim", "dims", "unflattened_size", "shape", "index"}
_BY_TYPE = {
    **dict.fromkeys(("Linear", "LayerNorm", "GroupNorm", "BatchNorm2d", "BatchNorm1d"), _WIDTHS),
    **dict.fromkeys(("MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "MaxPool1d"), _KERNELS),
    **dict.fromkeys(("Flatten", "Select", "Mean", "Squeeze", "Unsqueeze", "Reshape"), _AXES),
}
_NUMBERED = re.compile(r"(Conv|ConvTranspose|MaxPool|AvgPool|BatchNorm|AdaptiveAvgPool)([123])d")


def replaced(span: Span, text: str) -> str:
    """Return the text of a document with another text at a span."""
    return edited(span.document, [Edit(span, text)]).decode()


def source(span: Span) -> str:
    """Return the text at a span."""
    start, end = span.document.range(span)
    return span.document.text[start:end]


def _one(rng: Random, parts: Sequence[Part]) -> Part | None:
    return rng.choice(parts) if parts else None


def _misspelt(rng: Random, word: str) -> str:
    """Return a word with a letter left out, doubled, exchanged or in the other case."""
    at = rng.randrange(len(word))
    following = word[at + 1 : at + 2]
    return rng.choice(
        [
            word[:at] + word[at + 1 :],
            word[:at] + word[at] * 2 + word[at + 1 :],
            word[:at] + following + word[at] + word[at + 2 :],
            word[:at] + word[at].swapcase() + word[at + 1 :],
            word.lower() if word[:1].isupper() else word.capitalize(),
        ]
    )


def names(rng: Random, right: Right) -> str | None:
    """Misspell a section, a type, a field, a variable, the name of a layer or a choice."""
    spans = [part.key.span for part in right.parts if part.key is not None]
    spans += [
        part.node.span
        for part in right.parts
        if isinstance(part.node, Scalar) and isinstance(part.node.value, str)
    ]
    spans = [span for span in spans if re.search(r"[A-Za-z]{3}", source(span))]
    if not spans:
        return None
    span = rng.choice(spans)
    word = rng.choice(re.findall(r"[A-Za-z_]{3,}\w*", source(span)) or ["x"])
    start = source(span).find(word)
    return replaced(span.within(start, len(word)), _misspelt(rng, word)) if start >= 0 else None


def _numbers(right: Right, fields: set[str]) -> list[Part]:
    return [
        part
        for part in right.parts
        if isinstance(part.node, Scalar)
        and type(part.node.value) is int
        and (part.name in fields or fields is _BY_TYPE.get(part.name))
    ]


def _other(rng: Random, value: int) -> int:
    return rng.choice([value + 1, value - 1, value * 2, value // 2, value + 7, value * 10, 7, 0])


def widths(rng: Random, right: Right) -> str | None:
    """Write another width, or a width of the input that is wrong."""
    part = _one(rng, _numbers(right, _WIDTHS))
    bare = [p for p in right.parts if p.name in {"Linear"} and isinstance(p.node, Scalar)]
    if part is None or (bare and rng.random() < 0.3):
        part = _one(rng, bare)
        if part is None or not isinstance(part.node, Scalar) or type(part.node.value) is not int:
            return None
        wrong = rng.choice([7, 100, 784, 12544])
        return replaced(part.node.span, f"{{in_features: {wrong}, out_features: {part.node.text}}}")
    assert isinstance(part.node, Scalar)
    return replaced(part.node.span, str(_other(rng, part.node.value)))


def kernels(rng: Random, right: Right) -> str | None:
    """Write another window."""
    part = _one(rng, _numbers(right, _KERNELS))
    if part is None or not isinstance(part.node, Scalar):
        return None
    value = part.node.value
    new = rng.choice([value + 1, value * 2, value + 20, value + 60, 0, -1])
    return replaced(part.node.span, str(new))


def axes(rng: Random, right: Right) -> str | None:
    """Change an axis: another dim, another input, another rank, or no Flatten."""
    choice = rng.randrange(4)
    if choice == 0:
        part = _one(rng, _numbers(right, _AXES))
        if part is None or not isinstance(part.node, Scalar):
            return None
        return replaced(part.node.span, str(part.node.value + rng.choice([-1, 1, 2, 5])))
    if choice == 1:
        return _other_input(rng, right)
    if choice == 2:
        found = [*_NUMBERED.finditer(right.text)]
        match = rng.choice(found) if found else None
        if match is None:
            return None
        rank = rng.choice([r for r in "123" if r != match[2]])
        return right.text[: match.start(2)] + rank + right.text[match.end(2) :]
    lines = right.text.splitlines(keepends=True)
    flat = [n for n, line in enumerate(lines) if re.search(r"\bFlatten\b", line)]
    if not flat:
        return None
    del lines[rng.choice(flat)]
    return "".join(lines)


def _other_input(rng: Random, right: Right) -> str | None:
    """Write the batch axis, leave an axis out, or put the channels last."""
    shapes = [
        part.node
        for part in right.parts
        if part.path[:1] in {("input",), ("inputs",)} and isinstance(part.node, List)
    ]
    if not shapes:
        return None
    shape = rng.choice(shapes)
    sizes = [source(item.span) for item in shape.items]
    others = [[str(rng.choice([1, 16, 32, 64, 128])), *sizes], sizes[1:], [*sizes[1:], *sizes[:1]]]
    others += [["1", *sizes]] if sizes[:1] != ["1"] else [sizes[1:]]
    return replaced(shape.span, f"[{', '.join(rng.choice(others))}]")


def classes(rng: Random, right: Right) -> str | None:
    """Write another number of classes: in the last layer, or in the data."""
    data = [part for part in right.parts if part.path[:1] == ("data",) and part.name == "classes"]
    rows = [row for row in right.graph.rows if row.type == "Linear"]
    last = [
        part
        for part in right.parts
        if rows
        and isinstance(part.node, Scalar)
        and type(part.node.value) is int
        and part.name in {"Linear", "out_features"}
        and part.node.span.line == rows[-1].span.line
    ]
    part = _one(rng, [*data, *last, *last])
    if part is None or not isinstance(part.node, Scalar) or not isinstance(part.node.value, int):
        return None
    value = part.node.value
    return replaced(part.node.span, str(rng.choice([value - 1, value * 2, 7, 1000, 1])))


def dtypes(rng: Random, right: Right) -> str | None:
    """Give an input another dtype, or leave it out."""
    shapes = [
        part
        for part in right.parts
        if part.path[:1] in {("input",), ("inputs",)}
        and (part.name == "dtype" or (isinstance(part.node, List) and part.name != "shape"))
    ]
    part = _one(rng, shapes)
    if part is None:
        return None
    if isinstance(part.node, Scalar):
        return replaced(part.node.span, rng.choice(["float32", "bool", "int", "long", "Int64"]))
    dtype = rng.choice(["int64", "int64", "bool", "float", "uint8"])
    return replaced(part.node.span, f"{{shape: {source(part.node.span)}, dtype: {dtype}}}")


def literals(rng: Random, right: Right) -> str | None:
    """Write a value as a text, a tuple, a word or a list."""
    parts = [
        part
        for part in right.parts
        if "$" not in source(part.node.span)
        and (
            (isinstance(part.node, Scalar) and isinstance(part.node.value, int | float))
            or (isinstance(part.node, List) and all(isinstance(i, Scalar) for i in part.node.items))
        )
    ]
    part = _one(rng, parts)
    if part is None:
        return None
    text = source(part.node.span)
    if isinstance(part.node, List):
        sizes = [source(item.span) for item in part.node.items]
        new = rng.choice([f"({', '.join(sizes)})", "x".join(sizes), ", ".join(sizes), f'"{text}"'])
        return replaced(part.node.span, new)
    assert isinstance(part.node, Scalar)
    if isinstance(part.node.value, bool):
        words = ["yes", "on", "True", "TRUE"] if part.node.value else ["no", "off", "False", "n"]
        return replaced(part.node.span, rng.choice([*words, f'"{text}"']))
    changed = [f'"{text}"', f"'{text}'", f"[{text}]", f"({text})", f"{text}.0", f"~{text}"]
    if isinstance(part.node.value, int):
        changed += [f"({text}, {text})", f"{text},"]
        if len(text) > 3:
            changed.append(f"{text[:-3]}_{text[-3:]}")
    return replaced(part.node.span, rng.choice(changed))


def syntax(rng: Random, right: Right) -> str | None:
    """Make one mistake of YAML: a colon, an indentation, a quote, a bracket."""
    changes: list[tuple[str, str]] = [
        (r": ", rng.choice([" ", ":", "=", " = ", ";", " : "])),
        (r":(?=\n)", ""),
        (r"[}\])]", ""),
        (r"[{\[(]", ""),
        (r"\n( +)(?=\S)", rng.choice(["\n", "\\g<0> ", "\n\t"])),
        (r"- (?=\S)", rng.choice(["-", "", "* "])),
        (r", ", rng.choice([" ", "; ", ","])),
        (r"(?<=: )\w+", rng.choice(['"\\g<0>', "'\\g<0>", "\\g<0>:"])),
    ]
    pattern, new = rng.choice(changes)
    found = [*re.finditer(pattern, right.text)]
    if not found:
        return None
    match = rng.choice(found)
    return right.text[: match.start()] + match.expand(new) + right.text[match.end() :]


BREAKS: dict[str, Callable[[Random, Right], str | None]] = {
    "names": names,
    "widths": widths,
    "kernels": kernels,
    "axes": axes,
    "classes": classes,
    "dtypes": dtypes,
    "literals": literals,
    "syntax": syntax,
}
