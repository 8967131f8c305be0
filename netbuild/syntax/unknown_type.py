"""The fault of an unknown type, with what to write instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from netbuild.diagnostics.diagnostic import Diagnostic, Edit, Fix
from netbuild.diagnostics.wording import article, brief, did_you_mean, suggest
from netbuild.syntax.colons import in_place_of, without_colon
from netbuild.syntax.names import MODIFIERS
from netbuild.syntax.node import Map, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

#: What to write for an unknown type: the help, and the fixes.
Advice: TypeAlias = "tuple[str | None, tuple[Fix, ...]]"

_MODULES = r"(?:torch\.|nn\.|F\.|optim\.|keras\.|tf\.|layers\.)+"
_EXAMPLES = {
    "layer": "ReLU, or Conv2d: {out_channels: 6, kernel_size: 5}",
    "loss": "CrossEntropyLoss",
    "optimizer": "Adam, or {Adam: {lr: 1e-3}}",
    "scheduler": "StepLR: {step_size: 3}",
    "data source": "Digits, or {Digits, resize: [28, 28]}",
}


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
    behind = key.span.document.lines[key.span.end_line - 1][key.span.end_column - 1 :]
    if pair is not None and pair.key in known and not behind.lstrip().startswith(":"):
        return in_place_of(pair)
    help_, fixes = _Unknown(key, what, known, arguments, shape).advice()
    title = f"no {what} is called {brief(key.text)}"
    return Diagnostic("NB103", title, key.span, "unknown type", help=help_, fixes=fixes)


def without_module(word: str) -> str:
    """Return `nn.Linear` and the like without the names of modules."""
    return re.sub(f"^{_MODULES}", "", word)


def example(what: str, known: Collection[str]) -> str:
    """Return an item of a kind, such as a layer, as an example."""
    return _EXAMPLES.get(what) or next(iter(known), f"{article(what)} {what}")


class _Unknown(NamedTuple):
    """An unknown type with its arguments, and the types that are known."""

    key: Scalar
    what: str
    known: Collection[str]
    arguments: Node | None
    shape: Sequence[int] | None

    def advice(self) -> Advice:
        """Return the help and the fixes."""
        word = without_module(self.key.text)
        return self._not_a_name(word) or self._named(word) or (self._examples(), ())

    def _not_a_name(self, word: str) -> Advice | None:
        """Return the advice for a call, and for names that stand for no type; else None."""
        from netbuild.syntax import calls, other_names

        if "(" in word:
            return calls.advice(self.key, word, self.known)
        if self.what != "layer":
            return None
        # `Repeat` is also a layer; as a second type of an item it is the modifier.
        if word.lower() in MODIFIERS and (word not in self.known or word == self.key.text):
            fixes = (Fix(f"write {word.lower()}", (Edit(self.key.span, word.lower()),)),)
            return f"this key begins with a small letter: write {word.lower()}", fixes
        if word in self.known:
            return None
        if isinstance(self.arguments, Scalar) and word.lower() == "activation":
            return self._activation(self.arguments)
        help_ = other_names.HELP.get(word.lower())
        return (help_, ()) if help_ else None

    def _named(self, word: str) -> Advice | None:
        """Return the advice for a word that stands for a known type; None for other words."""
        from netbuild.syntax.other_names import type_for

        first, _, rest = word.partition(" ")
        if first in self.known and rest in MODIFIERS:
            return f"put a comma between the type and its key: {{{first}, {rest}: …}}", ()
        meant, _, value = (type_for(word, self.what) or "").partition(": ")
        meant = word if word in self.known else meant
        near = meant or suggest(word, tuple(self.known))
        if near is None:
            return None
        has_digit = re.search(r"\d", word) or word == near
        if near not in self.known or (re.search("[123]d$", near) and not has_digit):
            return self._of_rank(near, f": {value}" if value else "")
        if value:
            return f"write {near}: {value}", self._replacing(f"{near}: {value}")
        help_, fix = self._instead(near)
        if meant or fix.edits[1:]:
            return help_, (fix,)
        return did_you_mean(self.key.text, [near], self.key.span)

    def _instead(self, near: str) -> tuple[str, Fix]:
        """Return the help and the fix to write another type, with the names of its own fields."""
        from netbuild.syntax.other_names import FIELD_HELP, field_for

        component = self.known[near] if hasattr(self.known, "__getitem__") else None
        fields = tuple(getattr(component, "model_fields", ()))
        edits, shown = [Edit(self.key.span, near)], ""
        if isinstance(self.arguments, Scalar) and self.arguments.text:
            shown = f": {self.arguments.text}"
        elif isinstance(self.arguments, Map):
            inside = self.arguments.entries
            left = tuple(field for field in fields if field not in inside)
            words, foreign = [], []
            for name, (word, value) in inside.items():
                field = (name if name in fields else field_for(name, left)) or name
                if name in FIELD_HELP and field == name and name not in fields:
                    foreign.append(name)
                    continue
                if field != name:
                    edits.append(Edit(word.span, field))
                words.append(f"{field}: {value.text if isinstance(value, Scalar) else '…'}")
            shown = f": {{{', '.join(words)}}}" if words else ""
            if foreign:
                help_ = f"write {near}{brief(shown, 60)}; {FIELD_HELP[foreign[0]]}"
                return help_, Fix(f"replace {brief(self.key.text)} with {near}", tuple(edits))
        fix = Fix(f"replace {brief(self.key.text)} with {near}", tuple(edits))
        return f"write {near}{brief(shown, 60)}", fix

    def _of_rank(self, near: str, value: str) -> Advice | None:
        """Return the advice to write Conv1d, Conv2d or Conv3d, which the input's axes decide."""
        from netbuild.components.tensor import times

        family, shape = re.sub(r"[123]d$", "", near), self.shape
        types = [f"{family}{n}d" for n in "123" if f"{family}{n}d" in self.known]
        if shape:
            types = [name for name in types if name == f"{family}{max(len(shape) - 1, 1)}d"]
        if not types:
            return None
        if types[1:]:
            return f"did you mean {', '.join(types[:-1])} or {types[-1]}?", ()
        told = f", for an input of {times(tuple(shape))}" if shape else ""
        return f"did you mean {types[0]}{value}{told}?", self._replacing(f"{types[0]}{value}")

    def _activation(self, arguments: Scalar) -> Advice:
        """Return the advice for `Activation: relu`."""
        from netbuild.syntax.other_names import HELP

        near, key = suggest(str(arguments.value), tuple(self.known)), self.key
        if near is None:
            return HELP["activation"], ()
        end = arguments.span
        span = key.span._replace(end_line=end.end_line, end_column=end.end_column)
        fix = Fix(f"replace {key.text}: {arguments.text} with {near}", (Edit(span, near),))
        return f"an activation is a layer of its own: write {near}", (fix,)

    def _replacing(self, written: str) -> tuple[Fix, ...]:
        """Return the fix that writes another type; with a value only if the type has none yet."""
        span = self.key.span
        behind = span.document.lines[span.line - 1][span.end_column - 1 :]
        if ":" in written:
            if behind.lstrip().startswith(":"):
                return ()
            written = f"{{{written}}}"
        return (Fix(f"replace {brief(self.key.text)} with {written}", (Edit(span, written),)),)

    def _examples(self) -> str | None:
        parts = [part.strip() for part in self.key.text.split(",")]
        if parts[1:] and all(part in self.known for part in parts):
            return f"write a list: [{', '.join(parts)}]"
        behind = self.key.span.document.lines[self.key.span.line - 1][self.key.span.column - 1 :]
        for opening, closing in ("{}", "[]"):
            if "," in self.key.text and behind.count(closing) > behind.count(opening):
                return f"this line has {closing} without {opening}: write {opening} before the type"
        if not self.key.text[:1].isupper():
            return f"a type begins with a capital letter: {example(self.what, self.known)}"
        return f"the types are {', '.join(self.known)}" if len(self.known) < 12 else None
