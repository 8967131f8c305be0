"""What a member of a stack can name, and what the reader remembers of a member."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.whole.names import of_result
from tests.whole.refusal import Refusal
from tests.whole.text import written

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from tests.whole.network import Value

#: The results of a member by name. The first one is what the member's own name stands for.
Results = dict[str, "Value"]
#: What a member reads: several values in order, or by name.
Inputs = list["Value"] | dict[str, "Value"]


@dataclass
class Made:
    """A member that `Reuse` can call again, with what it is made of."""

    again: Callable[[Inputs], Results]
    arguments: Any = None
    layer: Any = None
    children: dict[str, Made] = field(default_factory=dict)
    #: Of a stack, the inputs with a value for each sample.
    batched: frozenset[str] = frozenset()


@dataclass
class Scope:
    """One stack while it is read. `original` is the same stack, where it is called again.

    Without a `module` nothing is kept by name: a file that is drawn is tried so.
    """

    variables: dict[str, Any]
    inputs: dict[str, Value]
    module: nn.Module | None
    path: str = ""
    freeze: bool = False
    original: Made | None = None
    names: dict[str, Results] = field(default_factory=dict)
    members: dict[str, Made] = field(default_factory=dict)
    before: Value | None = None
    position: int = 0

    def __post_init__(self) -> None:
        """Let the first member read the only input."""
        if len(self.inputs) == 1:
            (self.before,) = self.inputs.values()

    def copy(self) -> Scope:
        """Return a scope that can grow by itself."""
        return Scope(
            self.variables,
            self.inputs,
            self.module,
            self.path,
            self.freeze,
            self.original,
            dict(self.names),
            dict(self.members),
            self.before,
            self.position,
        )

    def find(self, name: Any) -> Value:
        """Return what a name stands for.

        Raises:
            Refusal: nothing above has this name or this port.
        """
        text = written(name)
        member, _, port = text.partition(".")
        if member in self.names:
            results = self.names[member]
            if not port:
                return next(iter(results.values()))
            if port in results and "" not in results:
                return results[port]
        elif not port and member in self.inputs:
            return self.inputs[member]
        raise Refusal(f"no result is called {text}")

    def wires(self, inputs: Any) -> Inputs:
        """Return what `inputs` names."""
        if isinstance(inputs, dict):
            if not inputs:
                raise Refusal("no inputs")
            return {key: self.find(name) for key, name in inputs.items()}
        if isinstance(inputs, list):
            if not inputs:
                raise Refusal("no inputs")
            return [self.find(name) for name in inputs]
        return [self.find(inputs)]

    def outputs(self, outputs: Any) -> Results:
        """Return the results that `outputs` names; by default that of the last member.

        Raises:
            Refusal: two results of one name.
        """
        if outputs is None:
            if self.before is None:
                raise Refusal("no result")
            return {"output": self.before}
        if isinstance(outputs, dict):
            if not outputs:
                raise Refusal("no outputs")
            for key in outputs:
                of_result(key)
            return {key: self.find(name) for key, name in outputs.items()}
        if not isinstance(outputs, list):
            return {"output": self.find(outputs)}
        if len(outputs) == 1:
            return {"output": self.find(outputs[0])}
        names = [written(name).replace(".", "_") for name in outputs]
        if len(set(names)) < len(names) or not names:
            raise Refusal("two outputs of one name")
        return dict(zip(names, map(self.find, outputs), strict=True))

    def free(self, name: str) -> None:
        """Refuse a name that another member has.

        Raises:
            Refusal: the name is taken.
        """
        if name in self.names:
            raise Refusal(f"two members are called {name}")


def first(inputs: Inputs) -> Value | None:
    """Return the first input."""
    values = list(inputs.values()) if isinstance(inputs, dict) else inputs
    return values[0] if values else None


def chained(inputs: Inputs, value: Value) -> Inputs:
    """Return the inputs of a further copy: the copy before it instead of the first input."""
    if isinstance(inputs, dict):
        return {**inputs, next(iter(inputs)): value}
    return [value, *inputs[1:]]
