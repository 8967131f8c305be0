"""Other files that a config names: the base file of `extends`, and what no config is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.files import identity
from netbuild.config.sections import SECTIONS
from netbuild.diagnostics.diagnostic import Diagnostic, Fix, Span
from netbuild.diagnostics.wording import brief, did_you_mean, reason, similar_path, suggest
from netbuild.syntax.item import kind
from netbuild.syntax.node import Map, Scalar, is_null
from netbuild.syntax.overlay import merge

if TYPE_CHECKING:
    from collections.abc import Callable

    from netbuild.diagnostics.diagnostic import Found
    from netbuild.syntax.node import Node
    from netbuild.syntax.parser import Source

MAX_BASES = 10


def mapping(source: Source) -> Found[Map]:
    """Return the root of a file; an empty mapping if the root is not a mapping."""
    if isinstance(source.root, Map):
        return source.root, ()
    empty = Map({}, Span(source.document, 1, 1, 1, 1))
    if source.root is None:
        return empty, ()
    label = f"a config is a mapping of sections, not {kind(source.root)}"
    help_ = "begin with input: … and layers: …"
    title = "this file is not a config"
    return empty, (Diagnostic("NB108", title, source.root.span, label, help=help_),)


class Files(NamedTuple):
    """How other files are read, and the files that lead to the one that names another."""

    opened: Callable[[Path], Source]
    #: The identities of these files, the checked one first.
    chain: tuple[object, ...] = ()

    def behind(self, name: str) -> Files:
        """Return the files for what a file with this path names."""
        return self._replace(chain=(*self.chain, identity(name)))

    def read(self, node: Node, title: str, verb: str) -> Found[Source | None]:
        """Read the file that a path names; None if that is not possible.

        The path is relative to the folder of the file in which it is written. `verb` says in
        messages what the files do to each other: they `extend` one another.
        """
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            label = f"this is the path of a file, and not {kind(node)}"
            return None, (Diagnostic("NB111", title, node.span, label),)
        folder = Path(node.span.document.name).parent
        path = folder / node.value
        label, help_ = "", None
        fixes: tuple[Fix, ...] = ()
        source = None
        if (there := identity(path)) is not None and there in self.chain:
            label = f"{brief(node.value)} {verb}s this file in turn"
        elif len(self.chain) > MAX_BASES:
            label = f"more than {MAX_BASES} files {verb} one another"
        else:
            try:
                source = self.opened(path)
                refusal = no_config(source)
                label = f"{brief(node.value)}: {refusal}" if refusal else ""
                # Not the faults of that file: they would quote it.
                help_ = f"netbuild validate {path} says more" if label else None
            except (OSError, ValueError) as error:
                label = f"{brief(node.value)}: {reason(error)}"
                near = similar_path(node.value, folder)
                help_, fixes = did_you_mean(node.value, (), node.span, near)
        if label:
            fault = Diagnostic("NB111", title, node.span, label, help=help_, fixes=fixes)
            return None, (fault,)
        return source, ()


def extended(root: Map, files: Files) -> Found[Map]:
    """Return a file merged into its base file, which is merged into its own base file first.

    `files` are those that lead to this file, itself the last.
    """
    base = root.get("extends")
    if base is None or is_null(base):
        return root, ()
    title = "a base file that cannot be extended"
    source, faults = files.read(base, title, "extend")
    if source is None:
        return root, faults
    under, faults = mapping(source)
    under, wrong = extended(under, files.behind(source.document.name))
    return merge(under, root), (*source.diagnostics, *faults, *wrong)


def no_config(source: Source) -> str:
    """Return why a base file is no config; an empty text if it is one.

    The text quotes nothing of the file, and its own faults, which would, are left out: a config of
    a stranger may extend a file with secrets. In a config every key is a section, or nearly one.
    """
    if source.root is None:
        fault = source.diagnostics[0]
        return f"line {fault.span.line} cannot be read ({fault.code})"
    if not isinstance(source.root, Map):
        return "it is not a config, which is a mapping of sections"
    for name, entry in source.root.entries.items():
        if name not in SECTIONS and suggest(name, SECTIONS) is None:
            return f"it is not a config: the key in line {entry.key.span.line} is not a section"
    return ""
