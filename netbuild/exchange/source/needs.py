"""What a file of source must import, and which modules of netbuild stand in it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.components.layers.layer import Layer

#: The names that the definitions of `builder.modules` take from elsewhere.
_IMPORTS = {
    "Any": "from typing import Any",
    "ClassVar": "from typing import ClassVar",
    "torch": "import torch",
    "Tensor": "from torch import Tensor",
    "nn": "from torch import nn",
    "functional": "from torch.nn import functional",
    "rnn": "from torch.nn.utils import rnn",
    "AbstractContextManager": "from contextlib import AbstractContextManager",
    "checkpoint": "from torch.utils.checkpoint import checkpoint",
}


#: The names that a file may import, which no class of it can have.
RESERVED = frozenset((*_IMPORTS, "F", "OrderedDict", "Self", "math", "np", "samples", "train"))


def own_names() -> frozenset[str]:
    """Return the names of the modules of netbuild that a file may define."""
    return frozenset(_definitions("modules")) | frozenset(_definitions("recomputing"))


@dataclass
class Needs:
    """The imports of a file, and the definitions that it takes from netbuild."""

    imports: set[str] = field(default_factory=set)
    own: dict[str, str] = field(default_factory=dict)

    def module(self, layer: Layer) -> str:
        """Return the name of the class of a layer in the file, which may have to define it."""
        return self.class_(layer.built_name())

    def class_(self, name: str) -> str:
        """Return the name of a class: `nn.Linear`, or a class of netbuild."""
        if name not in _definitions("modules"):
            return f"nn.{name}"
        self.define("modules", name)
        return name

    def define(self, module: str, name: str) -> None:
        """Put a definition of netbuild into the file, behind those that it uses."""
        definitions = _definitions(module)
        if name in self.own or name not in definitions:
            return
        text, words = definitions[name]
        for word in sorted(
            words, key=lambda word: list(definitions).index(word) if word in definitions else -1
        ):
            if word in _IMPORTS and word not in definitions:
                self.imports.add(_IMPORTS[word])
            elif word != name:
                self.define(module, word)
        self.own[name] = text

    def keep_used(self, texts: Sequence[str]) -> None:
        """Drop the imports of names that no text has. An infinite number anywhere needs `math`."""
        tree = ast.parse("\n".join(texts))
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        self.imports |= {"import math"} & {f"import {name}" for name in used}
        self.imports = {line for line in self.imports if line.split()[-1] in used}


@cache
def _definitions(module: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Return the text of each definition of a module of the builder, and the names in it.

    The module itself imports torch, so its text is read.
    """
    spec = find_spec("netbuild.builder")
    assert spec is not None
    assert spec.submodule_search_locations
    text = (Path(spec.submodule_search_locations[0]) / f"{module}.py").read_text("utf-8")
    lines, found = text.split("\n"), {}
    tree = ast.parse(text)
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            names = [node.name]
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names = [node.targets[0].id]
        else:
            continue
        start = node.lineno - 1
        while start and lines[start - 1].startswith("#"):
            start -= 1
        own = "\n".join(re.sub(r"  # noqa: .*", "", one) for one in lines[start : node.end_lineno])
        words = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
        found[names[0]] = (own, frozenset(words))
    return found
