"""What is measured of a network of torch: values, gradients, multiplications and kept memory."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from tests.whole.network import REFUSALS

if TYPE_CHECKING:
    from torch import nn


#: Their values are drawn anew in each call, with one and the same seed in another order.
RANDOM = {"Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "RReLU", "FractionalMaxPool2d"}
#: The same in evaluation.
NOISE = {"RandnLike", "RandLike"}
#: What torch says of indices that another layer computes: only values tell.
BY_VALUE = ("index out of range in self", "out of bounds for dimension", "Class values must be")
BY_VALUE += ("Found an invalid max index",)
#: torch counts places up to the lengths, and how a weight is computed.
UNCOUNTED = {"lengths", "parametrize"}
#: mkldnn keeps a workspace of whole pages of memory, which grows by none for one more sample; and
#: what a packed sequence keeps depends on its lengths.
UNMEASURED = {"LSTM", "lengths"}


def samples(
    inputs: dict[str, tuple[list[int], torch.dtype]], batch: int, *, whole: int
) -> list[torch.Tensor]:
    """Return random samples; whole numbers are below `whole`."""
    generator = torch.Generator().manual_seed(batch)
    found = [
        torch.randn(batch, *shape, generator=generator)
        if dtype.is_floating_point
        else torch.randint(0, whole, (batch, *shape), generator=generator).to(dtype)
        for shape, dtype in inputs.values()
    ]
    for x in found:
        # Each row of a mask hides a place and shows one. Where it hides all, torch's shortcut in
        # evaluation gives NaN, and its other ways 0.
        if x.dtype == torch.bool and x.dim() > 1 and x.shape[-1] > 1:
            x[..., 0], x[..., -1] = True, False
    return found


def tuple_of(y: Any) -> tuple[torch.Tensor, ...]:
    """Return the results of a network as a tuple."""
    return y if isinstance(y, tuple) else (y,)


def backward(results: tuple[torch.Tensor, ...]) -> bool:
    """Go backward from all results with different weights; return whether there was a way."""
    learned = [y for y in results if y.requires_grad]
    if not learned:
        return False
    generator = torch.Generator().manual_seed(7)
    total = sum((y * torch.randn(y.shape, generator=generator)).sum() for y in learned)
    total.backward()
    return True


_aten = torch.ops.aten


def _trilinear(x: torch.Tensor, weight: torch.Tensor, *_: Any, **__: Any) -> int:
    """Return two for each multiplication of x · A · y: a product with x, and one with y."""
    outputs, _, last = weight.shape
    return 2 * len(x) * outputs * (x.shape[-1] * last + last)


#: torch's formulas, and those that its table lacks: fused attention on a CPU, and `Bilinear`.
_FORMULAS = {
    **flop_registry,
    _aten._scaled_dot_product_flash_attention_for_cpu: flop_registry[
        _aten._scaled_dot_product_flash_attention
    ],
    _aten._trilinear: _trilinear,
}


class Counting(TorchDispatchMode):
    """Counts operations with torch's own formulas, without the hooks of `FlopCounterMode`."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, and count it."""
        out = func(*args, **(kwargs or {}))
        formula = _FORMULAS.get(func._overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=out)
        return out


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Return whether two results are equal but for rounding."""
    return (
        a.shape == b.shape
        and a.dtype == b.dtype
        and torch.allclose(a.double(), b.double(), rtol=1e-4, atol=1e-5, equal_nan=True)
    )


def both(network: nn.Module, module: nn.Module, x: list[torch.Tensor]) -> str:
    """Run both forward and backward; return what differs, in a word and more."""
    found = []
    for one in (network, module):
        one.zero_grad()
        torch.manual_seed(3)
        try:
            results = tuple_of(one(*[t.clone() for t in x]))
            if one.training:
                backward(results)
        except REFUSALS as error:
            return f"run {one is module}: {error}"
        found.append(results)
    if len(found[0]) != len(found[1]) or not all(map(same, *found)):
        return "values"
    others = dict(module.named_parameters())
    for name, p in network.named_parameters():
        q = others[name]
        if (p.grad is None) != (q.grad is None):
            return f"gradients {name} has a gradient in one only"
        if p.grad is not None and not same(p.grad, q.grad):
            return f"gradients {name}"
    state = module.state_dict()
    for name, tensor in network.state_dict().items():
        if not same(tensor, state[name]):
            return f"buffers {name}"
    return ""


def both_in_doubles(network: nn.Module, module: nn.Module, x: list[torch.Tensor]) -> str:
    """Return what differs in double precision: what rounding made does not."""
    doubles = [t.double() if t.is_floating_point() else t for t in x]
    differs = both(network.double(), module.double(), doubles)
    network.float()
    module.float()
    return differs


def fill(network: nn.Module) -> None:
    """Give all parameters random values; those that begin with zeros or ones too."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.5)


class _Held:
    """The memory of a saved tensor, while the backward pass keeps it.

    Of the tensor itself only the storage is held: a result that is saved leads back to this object.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self.storage = tensor.untyped_storage()


def kept(network: nn.Module, x: list[torch.Tensor], *, alive: bool = True) -> int:
    """Return the bytes of all storages that a forward pass keeps, but those of its own tensors.

    What is `alive` is kept until the backward pass. torch frees the rest during the forward pass,
    because no result of the network needs it.
    """
    own = {t.untyped_storage().data_ptr() for t in network.state_dict().values()}
    held: list[weakref.ref[_Held]] = []
    strong: list[_Held] = []

    def pack(tensor: torch.Tensor) -> _Held:
        holder = _Held(tensor)
        held.append(weakref.ref(holder))
        if not alive:
            strong.append(holder)
        return holder

    # On one thread, a few small convolutions use another algorithm, which keeps a larger result:
    # `use_mkldnn` in ATen/native/Convolution.cpp asks for the number of threads.
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda holder: holder.storage):
        results = network(*x)
    torch.set_num_threads(threads)
    del x
    storages: dict[int, int] = {}
    for reference in held:
        holder = reference()
        if holder is not None and holder.storage.data_ptr() not in own:
            storages[holder.storage.data_ptr()] = holder.storage.nbytes()
    del results
    return sum(storages.values())
