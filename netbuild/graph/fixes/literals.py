"""The literals behind expressions: where an edit lands, and where a value comes from.

An edit of `$width` would change every place that reads the expression. So it goes to the literal
that gives `width` its value: in the use of a block, in `vars`, or in the file that extends a base.
A value of `--set` or behind a YAML alias has no edit.
"""

from __future__ import annotations

import re
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import Edit, Fix, Note, with_fixes
from netbuild.diagnostics.exceptions import ExpressionError
from netbuild.diagnostics.wording import brief
from netbuild.graph.assignments import (
    Assignment,
    assignment,
    block_around,
    mentioned,
    stacks_around,
    text_of,
)
from netbuild.graph.fixes.expressions import Text, is_expression, text_of_tree, walk
from netbuild.graph.fixes.spans import characters, contains, keys, overlaps, touches
from netbuild.syntax.edits import inserted
from netbuild.syntax.expression import RESERVED, evaluate
from netbuild.syntax.node import Map, Node, Scalar
from netbuild.syntax.parser import parse
from netbuild.syntax.scalar import resolve
from netbuild.syntax.substitution import is_computed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.config.config import Config
    from netbuild.diagnostics.diagnostic import Diagnostic, Document, Span
    from netbuild.graph.row import Calls

#: Faults whose edits belong where they are: in the text itself, or inside of an expression.
_OF_THE_TEXT = ("NB0", "NB110")
#: Faults of words and values, which do not depend on the shapes.
_OF_WORDS = "NB1"
#: The most values of a literal that are tried for an expression.
TRIED = 512
#: The most expressions of a fault whose values are named.
_NAMED = 2


class Target(NamedTuple):
    """The edit of a literal. `words` say where it is; they are empty if it did not move."""

    edit: Edit
    words: str = ""
    #: The names that lead from the expression to the literal.
    names: tuple[str, ...] = ()
    #: Whether the literal gets the value of the expression.
    is_equal: bool = True


class Literals:
    """Finds the literals behind the expressions of a config. `calls` are its uses of blocks."""

    def __init__(self, config: Config, calls: Calls) -> None:
        self.config, self.calls = config, calls
        self._texts: dict[int, Text] = {}
        self._alone: dict[int, set[tuple[str, tuple[int, ...]]]] = {}

    def moved(self, fault: Diagnostic) -> Diagnostic:
        """Return a fault whose fixes edit literals. A fix without a literal is left out."""
        if not fault.fixes or fault.code.startswith(_OF_THE_TEXT):
            return fault
        fixes = tuple(fix for old in fault.fixes if (fix := self._moved(fault, old)))
        if fixes == fault.fixes:
            return fault
        noted = any(note.label == "fix" for note in fault.notes)
        return with_fixes(fault, fixes) if noted else fault._replace(fixes=fixes)

    def is_inside(self, fix: Fix, block: str) -> bool:
        """Whether a fix changes the definition of a block."""
        blocks = self.config.root.get("blocks")
        body = blocks.get(block) if isinstance(blocks, Map) else None
        return body is not None and any(touches(edit.span, body.span) for edit in fix.edits)

    def named(self, fault: Diagnostic) -> Diagnostic:
        """Return an error with a note that says where the values of its expressions stand."""
        if fault.severity != "error" or fault.span.document.name == "--set":
            return fault
        here = [
            (scalar, owner)
            for scalar, owner in self._text(fault.span.document).within(fault.span)
            if contains(fault.span, scalar.span) or contains(scalar.span, fault.span)
        ]
        phrases: dict[str, None] = {}
        for layer in (fault.layer, *fault.also[:_NAMED]):
            for scalar, owner in here[:_NAMED]:
                path = self._path(owner, fault._replace(layer=layer))
                if path is not None:
                    phrases |= dict.fromkeys(self._phrases(scalar, path, fault.span.document))
        if not phrases:
            return fault
        at = next((n for n, note in enumerate(fault.notes) if note.label == "fix"), None)
        at = len(fault.notes) if at is None else at
        note = Note("value", "; ".join(phrases))
        return fault._replace(notes=(*fault.notes[:at], note, *fault.notes[at:]))

    def _phrases(self, node: Node, path: str, here: Document) -> Iterator[str]:
        """Yield a phrase for each name of an expression, and for the names behind it."""
        pending = [(node, path)]
        for expression, place in pending:
            for name in mentioned(text_of(expression)):
                found = assignment(name, place, self.config, self.calls)
                if found is None:
                    continue
                yield f"${name} is {_shown(found)}, {self._line(found.node.span, here)}"
                if is_computed(found.node) and len(pending) <= _NAMED:
                    pending.append((found.node, found.path))

    def _moved(self, fault: Diagnostic, fix: Fix) -> Fix | None:
        """Return a fix that edits literals; None if one of its edits has no literal."""
        found = [self._targets(edit, fault) for edit in fix.edits]
        targets = [*chain.from_iterable(found)]
        edits = tuple(dict.fromkeys(target.edit for target in targets))
        spans = {edit.span for edit in edits}
        if not all(found) or len(spans) < len(edits):
            return None
        words = dict.fromkeys(target.words for target in targets if target.words)
        title = ", ".join([fix.title, *([" and ".join(words)] if words else [])])
        safe = fix.safe and all(target.is_equal for target in targets)
        safe = safe and all(map(self._is_only_passed_on, chain(*(t.names for t in targets))))
        return fix._replace(title=title, edits=edits, safe=safe)

    def rounded(self, fault: Diagnostic) -> Diagnostic:
        """Return a fault with the fix to write `//` in the expression behind its value.

        A trial shows whether the value was a fraction, which a whole number mends.
        """
        if fault.code != "NB106" or self._is_foreign(fault.span.document):
            return fault
        here = self._text(fault.span.document).within(fault.span)
        at = next(((s, owner) for s, owner in here if s.span == fault.span), None)
        if at is None:
            return fault
        node: Node = at[0]
        path = self._path(at[1], fault)
        while isinstance(node, Scalar) and _is_variable(node) and path is not None:
            found = assignment(mentioned(text_of(node))[0], path, self.config, self.calls)
            if found is None or found.node is node:
                return fault
            node, path = found.node, found.path
        written = characters(node.span)[0]
        signs = [*re.finditer(r"(?<!/)/(?!/)", written)]
        if not is_computed(node) or len(signs) != 1 or node.span.document.name == "--set":
            return fault
        target = self._literal(Edit(node.span.within(signs[0].start(), 1), "//"), fault)
        if target is None:
            return fault
        start, end = signs[0].span()
        shown = brief(f"{written[:start]}//{written[end:]}")
        title = f"write {shown} in {self._line(node.span, fault.span.document)}"
        if re.fullmatch(r"write \d+", fault.help or ""):  # the fraction, as a whole number
            fault = fault._replace(help="// gives a whole number, and / gives a fraction")
        return with_fixes(fault, (*fault.fixes, Fix(title, (target.edit,))))

    def _targets(self, edit: Edit, fault: Diagnostic) -> list[Target]:
        """Return the edits of literals for an edit of a fix; none if there is no literal."""
        text = self._text(edit.span.document)
        touched = [(s, owner) for s, owner in text.within(edit.span) if overlaps(edit.span, s.span)]
        if touched and self._is_foreign(edit.span.document):
            return []
        if not touched:
            target = self._literal(edit, fault)
            return [target] if target else []
        scalar, owner = touched[0]
        path = self._path(owner, fault)
        if scalar.span != edit.span or path is None:
            return []
        target = self._behind(scalar, edit.text, path, fault)
        if target is None or not fault.code.startswith(_OF_WORDS):
            return [target] if target else []
        # The same wrong value in another use of the block is a fault too.
        wrong = characters(target.edit.span)
        others = [self._behind(scalar, edit.text, other, fault) for other in self._inside(owner)]
        alike = [one for one in others if one and characters(one.edit.span) == wrong]
        return [*dict.fromkeys([target, *alike])]

    def _behind(self, node: Node, text: str, path: str, fault: Diagnostic) -> Target | None:
        """Return the edit of the literal behind a value that gives the value the text `text`."""
        if not is_computed(node):
            target = self._literal(Edit(node.span, text), fault)
            where = self._line(node.span, fault.span.document)
            return target and target._replace(words=target.words or f"in {where}")
        names = _names(node)
        if len(names) != 1 or not isinstance(node, Scalar):
            return None
        found = assignment(names[0], path, self.config, self.calls)
        if found is None:
            return None
        passed_on = _is_variable(node)
        wanted = text if passed_on else _solved(node, names[0], found.node, text)
        target = self._behind(found.node, wanted, found.path, fault) if wanted else None
        if target is None or wanted is None:
            return None
        words = target.words
        if not passed_on and words.startswith("in "):
            words = f"with {wanted} {words}"
        is_equal = passed_on and target.is_equal
        return target._replace(words=words, names=(*names, *target.names), is_equal=is_equal)

    def _literal(self, edit: Edit, fault: Diagnostic) -> Target | None:
        """Return the edit of a literal; None for --set, an alias, or a base without the fault."""
        document = edit.span.document
        if document.name == "--set":
            return None
        if any(touches(edit.span, span) for span in self._text(document).aliased):
            return None
        if document is self.config.document or self._has_alone(document, fault):
            return Target(edit)
        return self._override(edit)

    def _override(self, edit: Edit) -> Target | None:
        """Return the edit of the file itself that replaces a value of its base."""
        root = self.config.root
        steps = keys(root, edit.span)
        place, depth = root, 0
        while depth < len(steps) - 1:
            inner = place.get(steps[depth])
            if not isinstance(inner, Map) or inner.span.document is not self.config.document:
                break
            place, depth = inner, depth + 1
        if not steps or place.span.document is not self.config.document:
            return None
        text = edit.text
        for key in reversed(steps[depth + 1 :]):
            text = f"{{{key}: {text}}}"
        insertion = inserted(place, {steps[depth]: text})
        whole = text
        for key in reversed(steps[: depth + 1]):
            whole = f"{{{key}: {whole}}}"
        words = f"with {whole[1:-1]} in {Path(self.config.document.name).name}"
        return Target(insertion, words) if insertion else None

    def _is_foreign(self, document: Document) -> bool:
        """Whether a document is the file of a block. Its expressions know other names."""
        return document is not self.config.document and id(document) not in self._own

    @cached_property
    def _own(self) -> set[int]:
        return {id(node.span.document) for node, _ in walk(self.config.root)}

    def _has_alone(self, document: Document, fault: Diagnostic) -> bool:
        """Whether a base has a fault also without the file that extends it."""
        from netbuild.config.load import read
        from netbuild.graph.tracing.network import trace_network

        if id(document) not in self._alone:
            config = read(parse(document))
            _, faults = trace_network(config)
            both = (*config.diagnostics, *faults)
            self._alone[id(document)] = {(one.code, one.span[1:]) for one in both}
        return (fault.code, fault.span[1:]) in self._alone[id(document)]

    def _is_only_passed_on(self, name: str) -> bool:
        """Whether each expression with a name is the name alone, so that nothing computes with it.

        Then a text that becomes a number changes nothing else.
        """
        users = [scalar for scalar in self._all if name in _names(scalar)]
        return all(_is_variable(scalar) for scalar in users)

    @cached_property
    def _all(self) -> tuple[Scalar, ...]:
        return tuple(node for node, _ in walk(self.config.root) if is_expression(node))

    def _path(self, owner: str, fault: Diagnostic) -> str | None:
        """Return a path at which an expression of a fault has its names; None without a clear one.

        `owner` is the block that contains the expression.
        """
        if self._is_foreign(fault.span.document):
            return fault.layer
        if not owner:
            return ""
        inside = self._inside(owner)
        around = [*stacks_around(fault.layer or "")]
        own = [path for path in inside if block_around(path, self.calls) in around]
        own.sort(key=len)
        return own[-1] if own else inside[0] if len(inside) == 1 else None

    def _inside(self, owner: str) -> list[str]:
        """Return a path inside each use of a block."""
        uses = self.calls.blocks.items()
        return [f"{path}.0" for path, call in uses if call.item.type.text == owner]

    def _text(self, document: Document) -> Text:
        if id(document) not in self._texts:
            # A text without these signs has neither expressions nor aliases.
            has_some = document.name != "--set" and not {"$", "*"}.isdisjoint(document.text)
            self._texts[id(document)] = text_of_tree(parse(document).root if has_some else None)
        return self._texts[id(document)]

    def _line(self, span: Span, here: Document) -> str:
        """Return the words for a place, seen from a document."""
        document = span.document
        if document.name == "--set":
            return f"--set {document.text}"
        return f"line {span.line}" + ("" if document is here else f" of {Path(document.name).name}")


def _is_variable(node: Scalar) -> bool:
    """Whether an expression is one name: `$width` or `$(width)`, and not `$(1)` or `$(true)`."""
    written = re.fullmatch(r"\$(\w+|\( *\w+ *\))", str(node.value))
    return written is not None and bool(mentioned(text_of(node)))


def _names(node: Node) -> list[str]:
    return [name for name in mentioned(text_of(node)) if name not in RESERVED]


def _solved(node: Scalar, name: str, old: Node, text: str) -> str | None:
    """Return the whole number for a name with which an expression has a value; else None.

    The nearest numbers are tried first.
    """
    expression = re.fullmatch(r"\$\((.*)\)", str(node.value))
    try:
        wanted = resolve(text)
    except ValueError:
        return None
    if expression is None or type(wanted) is not int:
        return None
    start = old.value if isinstance(old, Scalar) and type(old.value) is int else 1
    for number in sorted(range(TRIED), key=lambda n: abs(n - start)):
        try:
            value = evaluate(expression[1], {name: number})
        except ExpressionError:
            continue
        if type(value) is int and value == wanted:
            return str(number)
    return None


def _shown(found: Assignment) -> str:
    """Return a value of a file in the words of a note: a text in quotes, an expression as it is."""
    node, end = found.node, " by default" if found.default_of else ""
    text = text_of(node) or ("null" if isinstance(node, Scalar) and node.value is None else "")
    is_text = isinstance(node, Scalar) and isinstance(node.value, str) and "$" not in text
    return brief(f"'{text}'" if is_text else text) + end
