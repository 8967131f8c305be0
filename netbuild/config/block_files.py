"""Blocks that are the layers of another file: `blocks: {Teacher: {file: lenet.yaml}}`.

The variables of that file are the parameters of the block. Its `input`, `outputs`, `blocks` and
`init` go with its layers. Nothing else of the file is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.files import identity
from netbuild.config.bases import extended, mapping
from netbuild.config.blocks import Definition, Foreign, read_blocks
from netbuild.config.inputs import read_inputs
from netbuild.config.sections import Sections, read_layers, read_variables, unknown_sections
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.syntax.item import Stack, read_stack
from netbuild.syntax.node import List, Map, Scalar

if TYPE_CHECKING:
    from netbuild.config.bases import Files
    from netbuild.diagnostics.diagnostic import Found
    from netbuild.syntax.node import Entry, Node

#: The most files that the blocks of a file, and of the files that it names, may name.
MAX_FILES = 100
_TITLE = "a file that cannot be a block"


class BlockFiles:
    """Reads the files of blocks. A file that several blocks name is read once."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._read: dict[object, Definition | None] = {}

    def read(self, name: Scalar, entry: Entry) -> Found[Definition | None]:
        """Return the definition of a block with `file:`; None after a fault.

        The value of `file` is a path, or the sections of the file themselves. The config that a run
        keeps has the sections.
        """
        node = entry.value
        if isinstance(node, Map):
            return self._definition(name.text, node, self._files)
        document = node.span.document
        files = self._files
        if not files.chain or files.chain[-1] != identity(document.name):
            files = files.behind(document.name)
        if len(self._read) >= MAX_FILES:
            label = f"blocks name more than {MAX_FILES} files"
            return None, (Diagnostic("NB111", _TITLE, node.span, label),)
        source, faults = files.read(node, _TITLE, "use")
        if source is None:
            return None, faults
        key = identity(source.document.name)
        if key in self._read:
            known = self._read[key]
            return known and known._replace(name=name.text), ()
        self._read[key] = None
        root, faults = mapping(source)
        files = files.behind(source.document.name)
        root, wrong = extended(root, files)
        if "blocks" in root.entries and "layers" not in root.entries:
            assert isinstance(node, Scalar)  # no list is the path of a file
            label = f"{node.text} holds only blocks, and no layers"
            help_ = f"remove this block, and take the blocks of the file by extends: {node.text}"
            fault = Diagnostic("NB111", _TITLE, node.span, label, help=help_)
            return None, (*source.diagnostics, *faults, *wrong, fault)
        definition, more = self._definition(name.text, root, files)
        self._read[key] = definition
        return definition, (*source.diagnostics, *faults, *wrong, *more)

    def _definition(self, name: str, root: Map, files: Files) -> Found[Definition | None]:
        """Return the definition of a block from the sections of a file."""
        names, faults = read_variables(root)
        sections = Sections(root.span.document, root, names, {})
        _, wrong = read_inputs(sections, needed=False)
        layers, more = read_layers(sections, needed=True)
        outer, self._files = self._files, files
        blocks, unfit = read_blocks(root.get("blocks"), self.read)
        self._files = outer
        faults = (*unknown_sections(root), *faults, *wrong, *more, *unfit)
        stack = self._stack(layers, root) if layers is not None else None
        if isinstance(stack, Diagnostic):
            return None, (*faults, stack)
        if stack is None or len(names) < len(_variables(root)):
            return None, faults
        return Definition(name, _variables(root), stack, Foreign(root, blocks)), faults

    def _stack(self, layers: Node, root: Map) -> Stack | Diagnostic:
        """Return the network of a file as a stack, with its `outputs`."""
        assert isinstance(layers, (Map, List))
        stack = read_stack(layers)
        outputs = root.entries.get("outputs")
        if isinstance(stack, Diagnostic):
            return stack
        return stack._replace(modifiers={"outputs": outputs} if outputs else {})


def _variables(root: Map) -> dict[str, Node | None]:
    node = root.get("vars")
    entries = node.entries if isinstance(node, Map) else {}
    return {name: entry.value for name, entry in entries.items()}
