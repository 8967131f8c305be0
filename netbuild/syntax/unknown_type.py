"""The fault of an unknown type, with what to write instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.diagnostic import Diagnostic, Edit, Fix
from netbuild.diagnostics.wording import article, brief, did_you_mean, suggest
from netbuild.syntax.colons import in_place_of, without_colon
from netbuild.syntax.node import Map, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

#: What an unknown type could mean: the help, and the fixes.
Advice = tuple[str | None, tuple[Fix, ...]]

_MODULES = r"(?:torch\.|nn\.|F\.|optim\.|keras\.|tf\.|layers\.)+"


def unknown_type(
    key: Scalar,
    what: str,
    known: Collection[str],
    arguments: Node | None = None,
    shape: Sequence[int] | None = None,
) -> Diagnostic:
    """Return the fault of an unknown type, with a similar type or a short list of types as help.

    `arguments` stand behind the type. `shape` is the shape of the layer's input; it decides between
    Conv1d, Conv2d and Conv3d.
    """
    pair = without_colon(key.text, key.span)
    if pair is not None and pair.key in known:
        return in_place_of(pair)
    help_, fixes = _advice(key, what, known, arguments, shape)
    title = f"no {what} is called {brief(key.text)}"
    return Diagnostic("NB103", title, key.span, "unknown type", help=help_, fixes=fixes)


def without_module(word: str) -> str:
    """Return `nn.Linear` and the like without the names of modules."""
    return re.sub(f"^{_MODULES}", "", word)


def _advice(
    key: Scalar,
    what: str,
    known: Collection[str],
    arguments: Node | None,
    shape: Sequence[int] | None,
) -> Advice:
    from netbuild.syntax import calls, other_names  # a network without faults does not need them

    word = without_module(key.text)
    if "(" in word:
        return calls.advice(key, word, known)
    if isinstance(arguments, Scalar) and word.lower() == "activation":
        return _activation(key, arguments, known)
    if (help_ := other_names.HELP.get(word.lower())) and what == "layer" and word not in known:
        return help_, ()
    if word in known:
        return _instead(key, word, known, arguments)
    meant, colon, value = (other_names.type_for(word, what) or "").partition(": ")
    near = meant or suggest(word, tuple(known))
    if near is None:
        return _examples(key, what, known), ()
    if near not in known or (near[-2:] in {"1d", "2d", "3d"} and not re.search(r"\d", word)):
        return _of_rank(key, near, f"{colon}{value}", known, shape)
    if value:
        return f"write {near}: {value}", _replacing(key, f"{near}: {value}")
    if meant:
        return _instead(key, near, known, arguments)
    advice = _instead(key, near, known, arguments)
    return advice if advice[1][0].edits[1:] else did_you_mean(key.text, [near], key.span)


def _instead(key: Scalar, near: str, known: Collection[str], arguments: Node | None) -> Advice:
    """Return the advice to write another type, with the names of its own fields."""
    from netbuild.syntax.other_names import field_for

    component = known[near] if hasattr(known, "__getitem__") else None
    fields = tuple(getattr(component, "model_fields", ()))
    edits, shown = [Edit(key.span, near)], ""
    if isinstance(arguments, Scalar) and arguments.text:
        shown = f": {arguments.text}"
    elif isinstance(arguments, Map):
        words = []
        for name, (word, value) in arguments.entries.items():
            left = tuple(field for field in fields if field not in arguments.entries)
            field = name if name in fields else field_for(name, left)
            if field not in {None, name}:
                edits.append(Edit(word.span, field))
            words.append(f"{field or name}: {value.text if isinstance(value, Scalar) else '…'}")
        shown = f": {{{', '.join(words)}}}"
    fix = Fix(f"replace {brief(key.text)} with {near}", tuple(edits))
    return f"write {near}{brief(shown, 60)}", (fix,)


def _of_rank(
    key: Scalar,
    near: str,
    value: str,
    known: Collection[str],
    shape: Sequence[int] | None,
) -> Advice:
    """Return the advice to write Conv1d, Conv2d or Conv3d, which the input's axes decide."""
    from netbuild.components.tensor import times

    family = re.sub(r"[123]d$", "", near)
    types = [f"{family}{n}d" for n in "123" if f"{family}{n}d" in known]
    if shape:
        types = [name for name in types if name == f"{family}{max(len(shape) - 1, 1)}d"] or types
    if not types:
        return None, ()
    if len(types) > 1:
        return f"did you mean {', '.join(types[:-1])} or {types[-1]}?", ()
    told = f", for an input of {times(tuple(shape))}" if shape else ""
    return f"did you mean {types[0]}{value}{told}?", _replacing(key, f"{types[0]}{value}")


def _activation(key: Scalar, arguments: Scalar, known: Collection[str]) -> Advice:
    """Return the advice for `Activation: relu`."""
    from netbuild.syntax import other_names

    near = suggest(str(arguments.value), tuple(known))
    if near is None:
        return other_names.HELP["activation"], ()
    end = arguments.span
    span = key.span._replace(end_line=end.end_line, end_column=end.end_column)
    fix = Fix(f"replace {key.text}: {arguments.text} with {near}", (Edit(span, near),))
    return f"an activation is a layer of its own: write {near}", (fix,)


def _replacing(key: Scalar, written: str) -> tuple[Fix, ...]:
    """Return the fix that writes another type; with a value only if the type has none yet."""
    span, line = key.span, key.span.document.lines[key.span.line - 1]
    if ":" in written:
        if line[span.end_column - 1 :].lstrip().startswith(":"):
            return ()
        written = f"{{{written}}}"
    return (Fix(f"replace {brief(key.text)} with {written}", (Edit(span, written),)),)


def _examples(key: Scalar, what: str, known: Collection[str]) -> str | None:
    if not key.text[:1].isupper():
        return f"a type begins with a capital letter: {example(what, known)}"
    return f"the types are {', '.join(known)}" if len(known) < 12 else None


def example(what: str, known: Collection[str]) -> str:
    """Return an item of a kind, such as a layer, as an example."""
    examples: dict[str, Any] = {
        "layer": "ReLU, or Conv2d: {out_channels: 6, kernel_size: 5}",
        "loss": "CrossEntropyLoss",
        "optimizer": "Adam, or {Adam: {lr: 1e-3}}",
        "scheduler": "StepLR: {step_size: 3}",
        "data source": "Digits, or {Digits, resize: [28, 28]}",
    }
    return examples.get(what) or next(iter(known), f"{article(what)} {what}")
