"""The names of nodes: those of the module tree, and names for the operations between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.exchange.importer.conversion.layouts import Gap
from netbuild.exchange.operation_names import of_type
from netbuild.syntax.names import is_name, valid, valid_input

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from torch import nn

    from netbuild.exchange.importer.recording.recording import Place
    from netbuild.graph.value import Value


class Names:
    """Gives each operation a name that no module, parameter or other operation has."""

    def __init__(self, module: nn.Module, places: Mapping[str, Place]) -> None:
        self._taken = {*places}
        self.notes: list[str] = []  # comments about the names of inputs and results
        self._transient: set[str] = set()
        #: The names of all modules.
        self.modules: set[str] = set()
        self._inside: dict[str, list[str]] = {}  # the modules directly in each stack
        self._hint: str | None = None
        for name, one in module.named_modules(remove_duplicate=False):
            prefix = f"{name}." if name else ""
            self._taken.add(name)
            self.modules.add(name)
            if name:
                around, _, own = name.rpartition(".")
                self._inside.setdefault(around, []).append(own)
            self._taken |= {f"{prefix}{key}" for key in (*one._parameters, *one._buffers)}  # noqa: SLF001
            self._transient |= {
                f"{prefix}{key}"
                for key in one._non_persistent_buffers_set  # noqa: SLF001
            }

    def persistent(self, name: str) -> bool:
        """Whether a buffer is in `state_dict()`."""
        return name not in self._transient

    def take(self, path: str) -> str:
        """Return the path of a node that has a module, and keep it from others."""
        self._taken.add(path)
        return path

    def hint(self, path: str | None) -> None:
        """Let the next operation have the path of the module that it stands for."""
        self._hint = path

    def free(self, stack: str, kind: str, name: str | None, before: str) -> str:
        """Return a path in a stack for an operation: `layer1.0.add`, then `layer1.0.add_1`.

        Args:
            stack: the path of the stack.
            kind: the type of the operation.
            name: what the variable of its result says.
            before: the path of the node before it.
        """
        if self._hint is not None:
            path, self._hint = self._hint, None
            return path
        name = name or self._number(stack, before) or of_type(kind)
        name = f"{name}_" if not is_name(name) else name
        prefix = f"{stack}." if stack else ""
        path, number = f"{prefix}{name}", 0
        while path in self._taken:
            number += 1
            path = f"{prefix}{name}_{number}"
        self._taken.add(path)
        return path

    def _number(self, stack: str, before: str) -> str | None:
        """Return the next number if the modules of a stack have numbers, and none has this one."""
        prefix = f"{stack}." if stack else ""
        if not all(one.isdecimal() for one in self._inside.get(stack, ("",))):
            return None
        last = before.removeprefix(prefix).partition(".")[0] if before.startswith(prefix) else ""
        number = str(int(last) + 1) if last.isdecimal() else "0"
        return None if f"{prefix}{number}" in self._taken else number

    @staticmethod
    def check(path: str) -> None:
        """Refuse a name of torch that a config cannot have.

        Raises:
            Gap: the name is no name of a config.
        """
        for part in path.split("."):
            if not is_name(part):
                message = f"its name {part} is no name in a config"
                raise Gap(message)

    def input(self, name: str, others: AbstractSet[str]) -> str:
        """Return the name of an input of the network: `X` becomes `x`.

        A single input called `x` has no name in a config, so there is nothing to say about it.
        """
        own = valid_input(name)
        while own != name and own in others:
            own += "_"
        if own != name and (others - {name} or own != "x"):
            self.notes.append(f"the input {name} is called {own} here: no config has this name")
        return own

    def output(self, name: str, value: Value, found: Mapping[str, Value]) -> str:
        """Return the name of a result of the network: `aux loss` becomes `aux_loss`."""
        given, name = name, name or value.path.rpartition(".")[2] or value.port
        name = valid(name)
        name = name if not name[:1].isdigit() else f"output{name}"
        number, free = 1, name
        while free in found:
            number += 1
            free = f"{name}_{number}"
        if given and valid(given) != given:
            self.notes.append(f"the output {given} is called {free} here: no config has this name")
        return free
