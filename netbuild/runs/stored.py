"""What a pickle of `torch.save` may name: storages, tensors, and the functions that make them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.safetensors import MAX_RANK
from netbuild.components.tensor import product
from netbuild.diagnostics.exceptions import WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from netbuild.components.tensor import Shape

#: The bytes of a value of each type.
_SIZES = {
    "Bool": 1,
    **dict.fromkeys(("Byte", "Char", "Untyped"), 1),
    **dict.fromkeys(("Short", "Half", "BFloat16"), 2),
    **dict.fromkeys(("Int", "Float"), 4),
    **dict.fromkeys(("Long", "Double", "ComplexFloat"), 8),
    "ComplexDouble": 16,
}
DTYPES = {
    "bool": 1,
    **dict.fromkeys(("uint8", "int8", "float8_e4m3fn", "float8_e5m2"), 1),
    **dict.fromkeys(("float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"), 1),
    **dict.fromkeys(("uint16", "int16", "float16", "bfloat16"), 2),
    **dict.fromkeys(("uint32", "int32", "float32", "complex32"), 4),
    **dict.fromkeys(("uint64", "int64", "float64", "complex64"), 8),
    "complex128": 16,
}


#: The longest key of a mapping. To find a key takes as long as it is, each time.
_MAX_KEY = 5_000
#: Keys that are numbers count an optimizer's parameters. Larger numbers can share one hash.
_MAX_COUNT = 1 << 31


class Type(NamedTuple):
    """A type of values, or of storages."""

    size: int  # bytes of a value


class Storage(NamedTuple):
    """The values of one or several tensors, which are not read."""

    key: str
    type: Type
    numel: int  # values, in torch's word

    @property
    def nbytes(self) -> int:
        """The number of its bytes."""
        return self.numel * self.type.size


class Stored(NamedTuple):
    """A tensor in a pickle."""

    shape: Shape
    storage: Storage


def put(held: dict[Any, Any], key: Any, value: Any) -> None:
    """Set an item of a mapping.

    Raises:
        WeightsError: the key is neither a name nor a count.
    """
    name = type(key) is str and len(key) <= _MAX_KEY
    if not name and not (type(key) is int and 0 <= key < _MAX_COUNT):
        raise WeightsError("it has a key that is neither a name nor a count")
    held[key] = value


def _ordered_dict(items: Any = None) -> dict[Any, Any]:
    """Return a mapping. Python 2 wrote its items as a list of lists."""
    made: dict[Any, Any] = {}
    for item in [] if items is None else items:
        if type(items) is not list or type(item) is not list or len(item) != 2:
            raise WeightsError("it holds an OrderedDict that torch.save does not write")
        put(made, *item)
    return made


def _counter(counts: Any = None) -> dict[Any, Any]:
    """Return the counts of a Counter: MultiStepLR has one of its milestones."""
    if type(counts) is not dict:
        raise WeightsError("it holds a Counter that torch.save does not write")
    return dict(counts)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *more: Any) -> Stored:
    """Return a tensor whose values lie within its storage.

    torch's functions to rebuild a tensor take these arguments, a flag whether it needs a gradient,
    and an empty OrderedDict. `_rebuild_tensor_v3` then takes its dtype.
    """
    type_ = next((given for given in more if isinstance(given, Type)), None)
    if not isinstance(storage, Storage) or (len(more) > 1 and more[1] != {}):
        raise WeightsError("it holds a tensor that torch.save does not write")
    itemsize = (type_ or storage.type).size
    if not _fits(offset, size, stride, storage.nbytes // itemsize):
        raise WeightsError("it holds a tensor with an impossible shape")
    return Stored(size, storage)


def _fits(offset: Any, size: Any, stride: Any, count: int) -> bool:
    """Whether size and stride are a shape, and reach only the values of their storage."""
    if not (type(size) is type(stride) is tuple and len(size) == len(stride) <= MAX_RANK):
        return False
    if not all(type(n) is int and 0 <= n < 1 << 63 for n in (offset, *size, *stride)):
        return False
    if 0 in size:
        return True
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    return product(size) < 1 << 59 and last < count


def _parameter(tensor: Any, *_: Any) -> Stored:
    if not isinstance(tensor, Stored):
        raise WeightsError("it holds a parameter that torch.save does not write")
    return tensor


#: The functions and types that a pickle may name.
KNOWN: dict[tuple[str, str], Callable[..., Any] | Type] = {
    ("collections", "OrderedDict"): _ordered_dict,
    ("collections", "Counter"): _counter,
    **{("torch._utils", f"_rebuild_tensor{of}"): _tensor for of in ("", "_v2", "_v3")},
    ("torch._utils", "_rebuild_parameter"): _parameter,
    **{("torch", f"{name}Storage"): Type(size) for name, size in _SIZES.items()},
    ("torch.storage", "UntypedStorage"): Type(1),
    **{("torch", name): Type(size) for name, size in DTYPES.items()},
}
