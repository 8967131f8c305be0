"""The pictures among predictions: masks with a colour for each class, and pictures from 0 to 1."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from netbuild.components.datasets.dataset import DataError
from netbuild.components.datasets.decoding import SUFFIXES, decoded, size_of
from netbuild.components.datasets.masks import nearest
from netbuild.components.tensor import times
from netbuild.diagnostics.exceptions import TrainingError

if TYPE_CHECKING:
    from netbuild.components.datasets.dataset import Size
    from netbuild.components.losses.loss import Loss
    from netbuild.components.tensor import Shape
    from netbuild.training.prediction.inputs import Array
    from netbuild.training.prediction.predict import Prediction, Predictor

#: The colours of classes, which people with any colour vision tell apart. Class 0 is black.
#: Okabe and Ito 2008, https://jfly.uni-koeln.de/color/; then "muted" of Tol,
#: https://personal.sron.nl/~pault/
_COLOURS = (
    *("000000", "E69F00", "56B4E9", "009E73", "F0E442", "0072B2", "D55E00", "CC79A7"),
    *("332288", "88CCEE", "44AA99", "117733", "999933", "DDCC77", "CC6677", "882255", "AA4499"),
)
#: The most colours of a palette.
_PALETTE = 256
_CHANNELS = (1, 3, 4)

#: How an output becomes a picture: its classes, yes or no at each pixel, or its values from 0 to 1.
_Kind: TypeAlias = Literal["classes", "mask", "picture"]


class Painted(NamedTuple):
    """A picture: class numbers (H, W), or bytes (H, W), (H, W, 3) or (H, W, 4).

    `output` is the name of the output, or empty if the prediction has one picture.
    """

    output: str
    pixels: Array
    is_mask: bool

    def write(self, file: Any) -> None:
        """Write it as PNG; a mask has a palette of the classes' colours. This needs pillow."""
        from PIL import Image

        wide = self.is_mask and self.pixels.max(initial=0) >= _PALETTE
        picture = Image.fromarray(self.pixels.astype("uint16" if wide else "uint8"))
        if self.is_mask and not wide:
            picture.putpalette(palette())
        picture.save(file, format="PNG")


def palette() -> bytes:
    """Return the colours of 256 classes, three bytes each; later ones repeat in darker shades."""
    known = [bytes.fromhex(colour) for colour in _COLOURS]
    repeated = known[1:]
    while len(known) < _PALETTE:
        repeated = [bytes(part * 4 // 5 for part in colour) for colour in repeated]
        known += repeated
    return b"".join(known[:_PALETTE])


class Painter:
    """Makes pictures of the predictions of a network.

    Raises:
        TrainingError: the network predicts no pictures.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.losses = _losses(predictor)
        self.kinds: dict[str, _Kind] = {}
        shapes = predictor.shapes
        read = predictor.beside
        if predictor.criterion is None:
            read = predictor.outputs
            self.losses |= {"": self.losses.get(read[0])}
        elif len(predictor.places) == 2:
            self.kinds[""] = "classes"
        alone = predictor.criterion is None and len(read) == 1
        for name in read:
            if _is_picture(shapes[name]):
                self.kinds["" if alone else name] = self._kind(predictor, name)
        if not self.kinds:
            sizes = (times(shape) if shape else "one number" for shape in shapes.values())
            given = " and ".join(sizes)
            message = f"the network gives {given}, which is no picture: write a .json or .csv file"
            raise TrainingError(message)

    def _kind(self, predictor: Predictor, output: str) -> _Kind:
        """Whether an output is a mask of yes and no. Else it is a picture."""
        loss, data = self.losses.get(output), predictor.reader.data
        if loss is None or not (loss.binary or loss.signed) or predictor.raw:
            return "picture"
        return "mask" if data is not None and "mask" in data.geometry.values() else "picture"

    def paint(self, told: Prediction) -> list[Painted]:
        """Return the pictures of one prediction. A mask gets the size of its input picture."""
        outputs = told.get("outputs", {})
        found = []
        for name, kind in self.kinds.items():
            values = told["class"] if kind == "classes" else outputs.get(name, told.get("output"))
            if kind == "picture":
                found.append(Painted(name, self._shades(values, name), is_mask=False))
                continue
            if kind == "mask":
                values = values.reshape(values.shape[-2:]) > self._border(name)
            size = _size(told)
            numbers = values if size is None else nearest(values, size)
            found.append(Painted(name, np.ascontiguousarray(numbers), is_mask=True))
        return found

    def _border(self, output: str) -> float:
        """Return the value above which a pixel is class 1."""
        loss = self.losses.get(output)
        return 0.5 if loss is not None and loss.takes == "probabilities" else 0.0

    def _shades(self, values: Array, output: str) -> Array:
        """Return the bytes of a picture, (C, H, W) or (H, W); 0 is black and 1 is white."""
        loss = self.losses.get(output)
        x = values.astype("float64")
        if loss is not None and loss.applies == "sigmoid":
            x = np.tanh(x / 2) / 2 + 0.5  # the sigmoid, without overflow
        shades = np.clip(x * 255, 0, 255).round().astype("uint8")
        if shades.ndim == 3:
            shades = np.moveaxis(shades, 0, -1) if len(shades) > 1 else shades[0]
        return np.ascontiguousarray(shades)


def summary(told: Prediction, painted: dict[str, Painted]) -> dict[str, Any]:
    """Return a prediction with the names of files instead of its pictures, and shares of classes.

    Args:
        told: the prediction.
        painted: its pictures by the names of their files.
    """
    known = {name: value for name, value in told.items() if not hasattr(value, "ndim")}
    rest = {
        name: values.astype("float64").round(6).tolist()
        for name, values in known.pop("outputs", {}).items()
        if name not in {one.output for one in painted.values()}
    }
    files = {one.output: file for file, one in painted.items()}
    found: dict[str, Any] = {"picture": files.pop("")} if "" in files else {}
    found |= ({"pictures": files} if files else {}) | ({"outputs": rest} if rest else {})
    shares = {}
    for one in painted.values():
        if one.is_mask:
            numbers, counts = np.unique(one.pixels.astype("int64"), return_counts=True)
            parts = (counts / one.pixels.size).round(6).tolist()
            shares[one.output] = dict(zip(map(str, numbers.tolist()), parts, strict=True))
    told_shares = {} if not shares else {"shares": shares.get("", shares)}
    return known | found | told_shares


def _losses(predictor: Predictor) -> dict[str, Loss | None]:
    """Return the first loss that reads each output."""
    found: dict[str, Loss | None] = {}
    for term in predictor.config.losses:
        for name in [wire.outside for wire in term.reads] or predictor.outputs:
            found.setdefault(name, term.loss)
    return found


def _is_picture(shape: Shape) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[0] in _CHANNELS)


def _size(told: Prediction) -> Size | None:
    """Return the height and width of the picture that was predicted; None for other inputs."""
    path = Path(str(told.get("input", "")))
    if path.suffix.lower() not in SUFFIXES:
        return None
    known = size_of(path)
    if known is not None:
        return known
    try:
        picture = decoded(str(path))
    except DataError:  # it has changed since
        return None
    return picture.height, picture.width
