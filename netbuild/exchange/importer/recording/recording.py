"""The calls of a module while it runs: its layers, and torch's functions around them.

The module runs on real samples, so any Python in its `forward` is followed as it is. A layer of the
catalogue is one call; what it does inside is not looked at.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from netbuild.exchange.importer.items import is_layer
from netbuild.exchange.importer.recording import functions as known
from netbuild.exchange.importer.recording.statements import Statement, statement_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: Folders whose frames are not the author's.
_TORCH = torch.__path__[0]


class Ref:
    """The number of a tensor that depends on inputs, parameters or buffers."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __index__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other.number == self.number

    def __hash__(self) -> int:
        return hash(self.number)


class Leaf(NamedTuple):
    """A tensor that no call makes: an input, a parameter or a buffer, with its name."""

    kind: str
    name: str
    tensor: torch.Tensor


class Place(NamedTuple):
    """A call of a module that contains others.

    `name` is the module's name in `named_modules()`, and `path` the stack of this call. They differ
    if the module is called again. `again` is the path of its first call.
    """

    path: str
    name: str
    module: nn.Module
    again: str | None = None


class Call(NamedTuple):
    """A call of a layer or of a function. Tensors that depend on something are `Ref`s.

    `path` is the name of the layer, and None for a function. `again` is the path of the first call
    of the same layer. `stale` tells that it reads a tensor that was changed through another one.
    `name` is what the variable of its result says. `drops` tells that a function of dropout drops
    values in evaluation too.
    """

    target: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any
    place: Place
    statement: Statement
    path: str | None = None
    again: str | None = None
    stale: bool = False
    name: str | None = None
    drops: bool = False


class Recording(NamedTuple):
    """All calls in their order, and the shapes of all numbered tensors."""

    calls: list[Call]
    leaves: dict[Ref, Leaf]
    shapes: list[tuple[int, ...]]
    dtypes: list[torch.dtype]
    places: dict[str, Place]
    outputs: Any


def record(module: nn.Module, inputs: Mapping[str, torch.Tensor]) -> Recording:
    """Run a module on samples, and return its calls. Its buffers stay as they are."""
    recorder = _Recorder(module)
    for name, tensor in inputs.items():
        recorder.leaf("input", name, tensor)
    for name, tensor in module.named_parameters():
        recorder.leaf("parameter", name, tensor)
    for name, tensor in module.named_buffers():
        recorder.leaf("buffer", name, tensor)
    with torch.no_grad(), _unchanged(module), recorder.watching():
        result = call(module, inputs)
    recorder.found = recorder.found._replace(outputs=recorder.marked(result))
    return recorder.found


def call(module: nn.Module, inputs: Mapping[str, torch.Tensor]) -> Any:
    """Call a module with inputs: by name where its `forward` has these names."""
    known = inspect.signature(module.forward).parameters
    if all(name in known and known[name].kind in _BY_NAME for name in inputs):
        return module(**inputs)
    return module(*inputs.values())


_BY_NAME = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


@contextlib.contextmanager
def _unchanged(module: nn.Module) -> Iterator[None]:
    """Give the buffers the values back that they had, and the generator its state."""
    buffers = {name: one.clone() for name, one in module.named_buffers()}
    with torch.random.fork_rng(devices=()):
        try:
            yield
        finally:
            for name, one in module.named_buffers():
                if name in buffers and one.shape == buffers[name].shape:
                    one.copy_(buffers[name])


class _Recorder(TorchFunctionMode):
    """Writes down each call of torch's functions, and each call of a module."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.found = Recording([], {}, [], [], {}, None)
        self.layers = {id(one) for one in module.modules() if is_layer(one)}
        self.names: dict[int, list[str]] = {}
        for name, one in module.named_modules(remove_duplicate=False):
            self.names.setdefault(id(one), []).append(name)
        self.numbers: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self.stale: set[Ref] = set()
        #: The tensor of which another one is a part, and the index of the part.
        self.parts: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self.used: dict[str, str] = {}  # a module's name, and the path of its first call
        self.taken: set[str] = {name for names in self.names.values() for name in names}
        self.stack: list[Place] = []
        self.paused = 0

    def leaf(self, kind: str, name: str, tensor: torch.Tensor) -> None:
        """Number a tensor that no call makes."""
        if tensor not in self.numbers:
            self.found.leaves[self.number(tensor)] = Leaf(kind, name, tensor)

    def number(self, tensor: torch.Tensor) -> Ref:
        """Return a new number for a tensor."""
        new = Ref(len(self.found.shapes))
        self.numbers[tensor] = new
        self.found.shapes.append(tuple(tensor.shape))
        self.found.dtypes.append(tensor.dtype)
        return new

    def marked(self, value: Any) -> Any:
        """Return a value of the call with numbers for the tensors that depend on something."""
        if isinstance(value, torch.Tensor):
            return self.numbers[value] if value in self.numbers else value  # noqa: SIM401
        return _mapped(value, self.marked)

    def results(self, value: Any) -> Any:
        """Return the results of a call with new numbers for all tensors."""
        if isinstance(value, torch.Tensor):
            return self.number(value)
        return _mapped(value, self.results)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Record until the block ends."""
        call = nn.Module.__call__
        recorder = self

        def called(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            return recorder.module_called(call, module, args, kwargs)

        nn.Module.__call__ = called  # type: ignore[method-assign]
        try:
            with self:
                yield
        finally:
            nn.Module.__call__ = call  # type: ignore[method-assign]

    def module_called(
        self, call: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any
    ) -> Any:
        """Record a layer as one call, and walk into any other module."""
        if self.paused or id(module) not in self.names:
            return call(module, *args, **kwargs)
        place = self.placed(module)
        if id(module) in self.layers and self.stack:
            given = self.marked(args), self.marked(kwargs)
            stale = self.reads_stale(given)
            self.paused += 1
            try:
                result = call(module, *args, **kwargs)
            finally:
                self.paused -= 1
            self.overwritten(module, args)
            self.write(module, given, result, stale, place)
            return result
        self.found.places[place.path] = place
        self.stack.append(place)
        try:
            return call(module, *args, **kwargs)
        finally:
            self.stack.pop()

    def placed(self, module: nn.Module) -> Place:
        """Return where this call of a module stands."""
        names = self.names[id(module)]
        if not self.stack:
            return Place("", "", module)
        around = self.stack[-1]
        inside = [n for n in names if _below(n, around.name)]
        name = next((n for n in inside if n not in self.used), (inside or names)[0])
        if around.again is not None and inside:
            path = around.path + name[len(around.name) :]
            if path not in self.used.values():
                self.used.setdefault(name, name)
                return Place(path, name, module, self.used[name])
        if name not in self.used:
            first = next((self.used[n] for n in names if n in self.used), None)
            self.used[name] = name
            return Place(name, name, module, first)
        statement = statement_of(sys._getframe(2), _TORCH, __file__)  # noqa: SLF001
        own = statement.name or name.rpartition(".")[2]
        return Place(self.free(around, name, own), name, module, self.used[name])

    def free(self, around: Place, name: str, own: str) -> str:
        """Return a path beside the caller for a module that is called again."""
        own = f"again{own}" if own.isdigit() else own
        above = name.rpartition(".")[0]
        above = above if around.again is None and _below(above, around.name) else around.path
        prefix = f"{above}." if above else ""
        number, path = 0, f"{prefix}{own}"
        while path in self.taken:
            number += 1
            path = f"{prefix}{own}_{number}"
        self.taken.add(path)
        return path

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Record a function of torch that reads a numbered tensor or draws random numbers."""
        kwargs = kwargs or {}
        if self.paused or not self.stack or known.is_silent(func):
            return func(*args, **kwargs)
        given = self.marked(args), self.marked(kwargs)
        reads = [*refs(given)]
        if not reads and not known.draws(func):
            return func(*args, **kwargs)
        stale = self.reads_stale(given)
        overwrites = known.overwrites(func)
        self.paused += 1
        try:
            if overwrites and args[0] not in self.numbers:  # as it is now, and not behind the call
                given = (args[0].clone(), *given[0][1:]), given[1]
            result = func(*args, **kwargs)
        finally:
            self.paused -= 1
        if func is torch.Tensor.__setitem__ and self.is_part(args[2], args[0]):
            return result  # `x[0] += 1` has written it already
        before = {*self.stale} if overwrites else set()
        if overwrites:
            self.changed(args[0])
        written = args[0] if overwrites and result is None else result
        if _has_tensors(written) or known.reads_values(func):
            self.write(func, given, written, stale, None)
        if func is torch.Tensor.__getitem__ and args[0] in self.numbers:
            self.parts[result] = args
        if overwrites:
            self.pass_on(args[0], before)
        return result

    def is_part(self, tensor: Any, whole: torch.Tensor) -> bool:
        """Whether a tensor is a part of another one, in the same memory."""
        return (
            isinstance(tensor, torch.Tensor)
            and tensor in self.parts
            and self.parts[tensor][0] is whole
            and tensor.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr()
        )

    def pass_on(self, part: torch.Tensor, before: set[Ref]) -> None:
        """Record that a tensor has changed because a part of it was changed.

        `before` are the numbers of tensors that had been changed through others before.
        """
        while part in self.parts and self.is_part(part, self.parts[part][0]):
            whole, index = self.parts[part]
            given: tuple[Any, Any] = self.marked((whole, index, part)), {}
            stale = any(ref in before for ref in refs(given))
            self.write(torch.Tensor.__setitem__, given, whole, stale, None)
            part = whole

    def write(self, target: Any, given: Any, result: Any, stale: Any, place: Place | None) -> None:
        """Add a call."""
        statement = statement_of(sys._getframe(2), _TORCH, __file__)  # noqa: SLF001
        path, again = (place.path, place.again) if place else (None, None)
        apart = isinstance(result, (tuple, list))
        name = statement.name if apart or not statement.taken_apart else None
        result = self.results(result)
        around = self.stack[-1]
        args, kwargs = given
        call = Call(target, args, kwargs, result, around, statement, path, again, stale, name)
        self.found.calls.append(call)

    def reads_stale(self, given: Any) -> bool:
        """Return whether a call reads a tensor that was changed through another one."""
        return any(ref in self.stale for ref in refs(given))

    def overwritten(self, module: nn.Module, args: Any) -> None:
        """Note what a layer with `inplace` overwrites."""
        if getattr(module, "inplace", False) and args and isinstance(args[0], torch.Tensor):
            self.changed(args[0])

    def changed(self, tensor: Any) -> None:
        """Note that all other numbered tensors in the same memory have other values now."""
        if not isinstance(tensor, torch.Tensor):
            return
        place = tensor.untyped_storage().data_ptr()
        known: Any = self.numbers
        for other, number in list(known.items()):
            if other is not tensor and other.untyped_storage().data_ptr() == place:
                self.stale.add(number)


def _below(name: str, above: str) -> bool:
    return not above or name.startswith(f"{above}.")


def _mapped(value: Any, function: Callable[[Any], Any]) -> Any:
    """Return a container with the function applied to what it holds."""
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(function, value))
    if isinstance(value, (list, tuple)):
        return (
            type(value)(map(function, value))
            if type(value) in {list, tuple}
            else tuple(map(function, value))
        )
    if isinstance(value, dict) or hasattr(value, "to_tuple"):
        return {key: function(one) for key, one in value.items()}
    if isinstance(value, slice):
        return slice(function(value.start), function(value.stop), function(value.step))
    return value


def refs(value: Any) -> Iterator[Ref]:
    """Yield the numbered tensors in the arguments of a call."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from refs(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from refs(one)
    elif isinstance(value, slice):
        yield from refs((value.start, value.stop, value.step))


def _has_tensors(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_has_tensors, value))
    return isinstance(value, torch.Tensor)
