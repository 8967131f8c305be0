"""The places that give the names of expressions their values: a use of a block, or `vars`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from netbuild.syntax.node import List, Map, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.config.config import Config
    from netbuild.graph.row import Calls
    from netbuild.syntax.expression import Names
    from netbuild.syntax.item import Item
    from netbuild.syntax.node import Node


class Assignment(NamedTuple):
    """The value that a file gives to a name."""

    node: Node
    #: The path of the member whose names the expressions of the value use; "" for `vars`.
    path: str
    #: The names there; None if they are the names at the place of the expression.
    names: Names | None
    #: The block whose default the value is; "" for any other value.
    default_of: str = ""


def assignment(name: str, path: str, config: Config, calls: Calls) -> Assignment | None:
    """Return the value that a file gives to a name in an expression of the member at `path`.

    The result is None for a name without a value in a file, such as `index` or `in_shape`.
    """
    block = block_around(path, calls)
    innermost = block
    while block:
        call = calls.blocks[block]
        definition = call.definition
        is_file = definition is not None and definition.file is not None
        params = definition.params if definition and (is_file or block == innermost) else {}
        given = arguments_of(call.item, next(iter(params), None))
        if name in params and name in given:
            return Assignment(given[name], block, call.names)
        default = params.get(name)
        if default is not None:
            return Assignment(default, path, None, call.item.type.text)
        if name in params or is_file:  # it lacks a value, or it is no name of that file
            return None
        block = block_around(block, calls)  # the file of a block around it has variables
    variables = config.root.get("vars")
    if isinstance(variables, Map) and name in variables.entries:
        return Assignment(variables.entries[name].value, "", config.names)
    return None


def block_around(path: str, calls: Calls) -> str:
    """Return the path of the innermost block around a member; "" without one."""
    return next((above for above in stacks_around(path) if above in calls.blocks), "")


def stacks_around(path: str) -> Iterator[str]:
    """Yield the paths of the stacks around a path, the innermost first."""
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def arguments_of(item: Item, bare: str | None) -> dict[str, Node]:
    """Return the values of an item by field. A bare value gets the name of its field."""
    if item.arguments is None:
        return {}
    if isinstance(item.arguments, Map):
        return {name: entry.value for name, entry in item.arguments.entries.items()}
    return {bare: item.arguments} if bare else {}


def mentioned(text: str) -> list[str]:
    """Return the names that the expressions of a text hold, each once.

    >>> mentioned("conv$(2 * n if kind == 'n_' else m)")
    ['n', 'if', 'kind', 'else', 'm']
    """
    inside = " ".join(re.findall(r"\$(\w+|\(.*\))", text))
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", inside)
    return list(dict.fromkeys(re.findall(r"[A-Za-z_]\w*", bare)))


def text_of(node: Node) -> str:
    """Return the text of a value in one line."""
    if isinstance(node, Scalar):
        return node.value if isinstance(node.value, str) else node.text
    if isinstance(node, List):
        return f"[{', '.join(map(text_of, node.items))}]"
    entries = (f"{name}: {text_of(entry.value)}" for name, entry in node.entries.items())
    return f"{{{', '.join(entries)}}}"
