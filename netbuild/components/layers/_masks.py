"""Masks of attention: their shapes, their bytes, and the form that torch wants."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

from netbuild.components.layers._attending import causal_mask
from netbuild.components.layers.layer import Needs
from netbuild.components.layers.layout import Placed
from netbuild.components.layers.named import Named
from netbuild.components.tensor import BYTES, Shape, ShapeError, Tensor, times

#: What a mask may hold: whether something is hidden, or numbers that are added to the scores.
_DTYPES = ("bool", "float32")


class Attention(NamedTuple):
    """One attention of a layer: the lengths of its queries and keys, and its masks."""

    queries: int
    keys: int
    #: The names of the mask of scores, and of the mask of padded keys.
    mask: str
    padding: str
    #: The field that hides later positions, if it is true.
    causal: str | None = None
    #: How many modules compute it in a step, and how many of these make numbers of a bool mask.
    calls: int = 1
    converts: int = 1


class Masked(Named):
    """A layer with attentions whose masks are inputs.

    A bool mask is true where nothing may be seen. A mask of numbers is added to the scores.
    """

    @property
    def heads(self) -> int:
        """The number of heads of each attention."""
        raise NotImplementedError

    @property
    def added(self) -> int:
        """The number of positions that are added to the keys."""
        return 0

    @property
    def adds_numbers(self) -> bool:
        """Whether a mask holds numbers."""
        return any(mask.floating for mask in self.given.values())

    def attentions(
        self, x: Sequence[Shape], gradients: Sequence[bool] = (), *, learns: bool = True
    ) -> Iterator[Attention]:
        """Yield the attentions for these inputs without masks, of which some need a gradient."""
        raise NotImplementedError

    def is_fused(self, masks: Mapping[str, Placed]) -> bool:
        """Whether torch computes without the weights of each head, and keeps the masks."""
        raise NotImplementedError

    def unmasked(self, read: Collection[str], *x: Placed, learns: bool) -> Needs:
        """Return what the backward pass from the results `read` needs, without kept masks."""
        raise NotImplementedError

    def expect_dtypes(self, *x: Tensor) -> None:
        positional, masks = self.apart(x)
        super().expect_dtypes(*positional)
        for name, mask in masks.items():
            if mask.dtype not in _DTYPES:
                message = f"{name} is {mask.dtype}, and a mask is bool or float32"
                raise ShapeError("NB207", message)

    def expect_masks(self, *x: Tensor) -> None:
        """Refuse masks of other shapes than the scores, and two masks for one purpose.

        Raises:
            ShapeError: names the mask, with its shape and the lengths of queries and keys.
        """
        positional, masks = self.apart(x)
        for one in self.attentions([tensor.shape for tensor in positional]):
            mask, padding = masks.get(one.mask), masks.get(one.padding)
            if mask is not None and one.causal is not None:
                message = f"{one.causal} makes a mask of its own, and {one.mask} is another one"
                help_ = "torch would ignore one of them: leave one out"
                raise ShapeError("NB106", message, at=one.causal, help=help_)
            scores = one.queries, one.keys
            if mask is not None and mask.shape not in {scores, (self.heads, *scores)}:
                message = f"{one.mask} is {times(mask.shape)}, and it needs {times(scores)} "
                message += f"(queries, keys), or {times((self.heads, *scores))} for each head"
                raise ShapeError("NB212", message)
            if padding is not None and padding.shape != (one.keys,):
                message = f"{one.padding} is {times(padding.shape)}, and it needs one value for "
                raise ShapeError("NB212", f"{message}each of {one.keys} keys")

    def for_torch(self, one: Attention, masks: Mapping[str, Any], query: Any, key: Any) -> Any:
        """Return the masks of an attention as torch wants them, by their names.

        A mask of scores becomes (N · heads, L, S), or (L, S) if it only hides later positions.
        torch wants no bool mask beside a mask of numbers.
        """
        found = {name: masks[name] for name in (one.mask, one.padding) if name in masks}
        bools = {name for name in found if not self.given[name].floating}
        if one.mask in found:
            mask = found[one.mask]
            mask = mask if len(self.given[one.mask].shape) == 3 else mask.unsqueeze(1)
            mask = mask.expand(query.size(0), self.heads, -1, -1)
            found[one.mask] = mask.flatten(0, 1)
        elif one.causal is not None:
            found[one.mask] = causal_mask(query, key)
            bools.add(one.mask)
        if bools < found.keys():
            for name in bools:
                found[name] = query.new_zeros(()).masked_fill(found[name], -inf)
        return found

    def with_masks(self, needs: Needs, x: Sequence[Placed], *, learns: bool) -> Needs:
        """Add what fused attentions keep of their masks: copies, or masks themselves."""
        positional, masks = self.apart(x)
        if not masks:
            return needs
        shapes, gradients = [one.shape for one in positional], [one.gradient for one in positional]
        numbers, kept = 0, set(needs.inputs)
        for one in self.attentions(shapes, gradients, learns=learns):
            own = {name: masks[name] for name in (one.mask, one.padding) if name in masks}
            copied, name = self._kept(one, own) if self.is_fused(own) else (0, None)
            numbers += copied
            if name is not None:
                kept.add(self.input_names(len(x)).index(name))
        workspace = needs.workspace + BYTES["float32"] * numbers
        return needs._replace(inputs=tuple(sorted(kept)), workspace=workspace)

    def _kept(self, one: Attention, masks: Mapping[str, Placed]) -> tuple[int, str | None]:
        """Return how many numbers an attention keeps in copies of masks, and a mask kept itself.

        torch adds up two masks, and repeats a mask of keys for each head. It makes numbers of a
        bool mask, and pads masks for positions that are added to the keys.
        """
        mask, padding = masks.get(one.mask), masks.get(one.padding)
        keys = self.heads * (one.keys + self.added)
        scores = one.queries * keys
        if not one.calls or (mask is None and padding is None):
            return 0, None
        if mask is None and padding is not None:
            if one.causal is not None:
                return one.calls * scores, None
            if self.heads > 1 or self.added:
                return one.calls * keys, None
            return (one.converts * keys, None) if padding.dtype == "bool" else (0, one.padding)
        assert mask is not None
        if padding is not None or self.added:
            return one.calls * scores, None
        if mask.dtype == "bool":
            return one.converts * scores, None
        is_view = mask.merged(0, 1) if len(mask.shape) == 3 else self.heads == 1
        return (0, one.mask) if is_view else (scores, None)
