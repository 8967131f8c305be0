"""What a trained network makes of files: images, arrays and tables.

Every sample is prepared as those that it was trained with: brought to the size of the network's
input, and normalised by the numbers that the run recorded. What is wrong with one input does not
keep the others from being predicted; of a file all samples have to fit.
"""

from __future__ import annotations

import csv
import re
import warnings
from array import array
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch.nn.functional import interpolate

from netbuild import builder, objective
from netbuild.data.arrays import Arrays
from netbuild.data.bundled import BreastCancer, Iris, Wine
from netbuild.data.dataset import Classes, DataError, Sample
from netbuild.data.delimited import Csv
from netbuild.data.given import input_values
from netbuild.data.images import ImageFolder
from netbuild.data.pictures import SUFFIXES, pixels
from netbuild.data.stored import Stored, read_arrays
from netbuild.layers.layer import Tensor, times
from netbuild.tracer import trace
from netbuild.training import checkpoint as checkpoints
from netbuild.training.batches import Batches
from netbuild.training.criterion import Criterion
from netbuild.training.distributed import device_of
from netbuild.training.failure import TrainingError, refused
from netbuild.training.loading import normalised
from netbuild.training.run import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from netbuild.data.dataset import Dataset

_ARRAYS = (".npy", ".npz", ".safetensors")
_TABLES = {".csv": ",", ".tsv": "\t"}
_IMAGES = {1: "grey", 3: "RGB", 4: "RGBA"}
#: As `data: Csv` reads them.
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?|nan)", flags=re.IGNORECASE)
_BOOLEANS = {"true": 1.0, "false": 0.0}
#: Samples of an array that are prepared together.
_CHUNK = 256

Array: TypeAlias = "np.ndarray[Any, Any]"
Input: TypeAlias = "str | Path | Array"
#: What is told of one sample: where it comes from, and its class or the network's outputs.
Prediction: TypeAlias = "dict[str, Any]"


class InputError(TrainingError):
    """An input that the network cannot be given; the message is one sentence."""


class UnreadableError(InputError):
    """An input that is not there, or cannot be read."""


def predict(
    folder: str | Path,
    inputs: Input | Sequence[Input],
    *,
    checkpoint: str = "best",
    top: int = 1,
    raw: bool = False,
) -> list[Prediction]:
    """Return what a run's network predicts for files, folders of images, or arrays.

    Each sample has its `input`, the path of its file, and its `index` where a file or an array
    holds several. A loss that tells classes apart gives `class`, its `name` where the data knows
    it, and `probability`, the softmax of the scores; with `top` greater than 1 also that many of
    the best, as `top`. Other losses, and `raw`, give what the network does: `output`, an array, or
    by their names the `outputs` of a network with several.

    >>> predict("runs/lenet5", ["a.png", "b.png"])  # doctest: +SKIP
    [{'input': 'a.png', 'class': 3, 'probability': 0.98}, …]

    Raises:
        ConfigError: the config in the run's folder was changed, and has faults.
        InputError: an input cannot be read, or does not fit the network.
        TrainingError: the folder is no run, or has no such checkpoint.
    """
    given = [inputs] if isinstance(inputs, str | Path | np.ndarray) else inputs
    predicted = []
    for found in Predictor(folder, checkpoint, top=top, raw=raw).predictions(given):
        if isinstance(found, InputError):
            raise found
        predicted.append(found)
    return predicted


class _Given(NamedTuple):
    """A sample, and where it comes from."""

    place: dict[str, Any]
    inputs: tuple[Array, ...]

    def __str__(self) -> str:
        where = str(self.place.get("input", "the array"))
        return f"{where}, index {self.place['index']}" if "index" in self.place else where


class Predictor:
    """The network of a run with the weights of one of its checkpoints."""

    def __init__(
        self, folder: str | Path, checkpoint: str = "best", *, top: int = 1, raw: bool = False
    ) -> None:
        run = find(Path(folder))
        config = run.config()
        self.data, self.preparation = config.data, config.preparation
        self.batch_size = config.train.batch_size
        # What it was trained with may be elsewhere by now, or another one.
        graph = trace(config._replace(data=None))
        self.sample: Sample = objective.wanted(config, *graph.compared.values())
        self.names, self.outputs = tuple(config.inputs), tuple(graph.outputs)
        self.device = _device(config.train.device)
        with refused("the network"):
            self.module = builder.module(graph).to(self.device)
        place = run.checkpoint(checkpoint)
        state = checkpoints.load(place, self.module)
        self.module.eval()
        classifies = config.loss is not None and config.loss.classifies
        self.criterion = None
        if classifies and not raw:
            self.criterion = _criterion(Criterion(graph, self.device), state, place)
        self.places = getattr(self.sample.target, "shape", ())
        self.top = top
        if top > 1 and (self.criterion is None or self.places):
            one = "one at each place" if self.criterion else "no classes"
            raise TrainingError(f"top is of one class a sample, and this network tells {one}")
        if self.preparation.normalize is True:
            raise TrainingError(f"{run.folder} has not recorded what normalises its samples")
        nothing = Batches((), torch.empty(0))
        _, self.prepare = normalised(nothing, self.preparation, self.sample)
        self.class_names = self._class_names()

    def _class_names(self) -> tuple[str, ...] | None:
        """Return what the classes are called, where the data is there and knows."""
        target = self.sample.target
        if self.criterion is None or self.data is None or not isinstance(target, Classes):
            return None
        names = _names(self.data, self.sample)
        return names if names is not None and len(names) == target.classes else None

    def predictions(self, inputs: Iterable[Input]) -> Iterator[Prediction | InputError]:
        """Yield what is predicted for each sample, and what keeps inputs from being predicted.

        Raises:
            TrainingError: the network cannot be run.
        """
        together: list[_Given] = []
        for found in self._samples(inputs):
            if isinstance(found, InputError):
                yield found
                continue
            together.append(found)
            if len(together) == self.batch_size:
                yield from self._predicted(together)
                together = []
        if together:
            yield from self._predicted(together)

    # What is given.

    def _samples(self, inputs: Iterable[Input]) -> Iterator[_Given | InputError]:
        for given in chain.from_iterable(map(_spread, inputs)):
            yield from [given] if isinstance(given, InputError) else self._tried(given)

    def _tried(self, given: Input) -> Iterable[_Given | InputError]:
        try:
            return self._read(given)
        except InputError as error:
            return [error]

    def _read(self, given: Input) -> Iterator[_Given]:
        """Yield the samples of a file or an array, once all of them are known to fit.

        Raises:
            InputError: it cannot be read, or does not fit.
        """
        if isinstance(given, np.ndarray):
            if len(self.names) > 1:
                raise InputError(f"one array, and the network reads {', '.join(self.names)}")
            return self._of_arrays({}, "the array", (given,))
        path = Path(given)
        place = {"input": str(given)}
        kind = path.suffix.lower()
        if kind in SUFFIXES:
            return iter([_Given(place, (self._image(path),))])
        if kind in _TABLES:
            return self._of_table(place, path)
        if kind in _ARRAYS:
            return self._of_arrays(place, str(path), self._stored(path))
        *known, last = [*_ARRAYS, *_TABLES]
        raise UnreadableError(f"{path} is no image, {', '.join(known)} or {last} file by its name")

    def _image(self, path: Path) -> Array:
        wanted = self.sample.inputs[0]
        if len(self.names) > 1:
            raise InputError(f"{path} is one image, and {self._reads_several()}")
        if len(wanted.shape) != 3 or wanted.shape[0] not in _IMAGES or not wanted.floating:
            raise InputError(f"{path} is an image, and the network reads {_described(wanted)}")
        try:
            from PIL import Image, ImageOps
        except ModuleNotFoundError:
            raise UnreadableError(
                f'{path}: images need pillow: pip install "netbuild[data]"'
            ) from None
        height, width = wanted.shape[1:]
        try:
            with warnings.catch_warnings(), Image.open(path) as picture:
                warnings.simplefilter("ignore")  # it is large, or has Exif that is none
                # Turned as its camera was held, as `datasets` turns those that train.
                return pixels(ImageOps.exif_transpose(picture), wanted, (height, width))
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
            raise UnreadableError(f"{path} cannot be read: {_reason(error)}") from error

    def _stored(self, path: Path) -> tuple[Array, ...]:
        """Return the arrays of a file, in the order of the network's inputs."""
        try:
            there = read_arrays(path)
            names = self._array_names(path, there)
            for name in names:
                if not there[name].is_read:
                    held = there[name].descr.lstrip("<|>")
                    raise InputError(f"{name} of {path} holds {held}, and numbers are wanted")
            return tuple(_values(there[name]) for name in names)
        except DataError as error:
            raise UnreadableError(str(error)) from error
        except (OSError, ValueError) as error:
            raise UnreadableError(f"{path} cannot be read: {_reason(error)}") from error

    def _array_names(self, path: Path, there: dict[str, Stored]) -> tuple[str, ...]:
        """Return which arrays the network reads: those called as its inputs, or as in training."""
        if set(self.names) <= {*there}:
            return self.names
        if isinstance(self.data, Arrays) and {*self.data.inputs} <= {*there}:
            return self.data.inputs
        if len(self.names) == len(there) == 1:
            return tuple(there)
        held = ", ".join(there) or "none"
        if len(self.names) > 1:
            raise InputError(f"{path} has the arrays {held}, and {self._reads_several()}")
        raise InputError(f"{path} has no array {self.names[0]}: its arrays are {held}")

    def _reads_several(self) -> str:
        return f"the network reads {', '.join(self.names)}: give a .npz of arrays with these names"

    def _of_arrays(
        self, place: dict[str, Any], name: str, arrays: tuple[Array, ...]
    ) -> Iterator[_Given]:
        """Yield one sample, or each of several along axis 0."""
        pairs = list(zip(arrays, self.sample.inputs, strict=True))
        single = all(_is_single(array, wanted) for array, wanted in pairs)
        arrays = tuple(a[None] if single or a.ndim == 0 else a for a in arrays)
        if len({len(array) for array in arrays}) > 1:
            lengths = ", ".join(f"{n} {len(a)}" for n, a in zip(self.names, arrays, strict=True))
            raise InputError(f"{name} has inputs of different lengths: {lengths}")
        if not len(arrays[0]):
            raise InputError(f"{name} has no samples")

        def chunks() -> Iterator[tuple[int, tuple[Array, ...]]]:
            for start in range(0, len(arrays[0]), _CHUNK):
                parts = tuple(array[start : start + _CHUNK] for array in arrays)
                at = _at_index(start, single=single)
                yield start, self._fitting(parts, name, at)

        for _ in chunks():  # first all of it, then any of it
            pass
        return (
            _Given(place if single else place | {"index": start + row}, tuple(x[row] for x in xs))
            for start, xs in chunks()
            for row in range(len(xs[0]))
        )

    def _fitting(
        self, arrays: tuple[Array, ...], name: str, at: Callable[[int], str]
    ) -> tuple[Array, ...]:
        """Return the values of some samples as the network reads them.

        Raises:
            InputError: they are of another shape, not finite, or no numbers.
        """
        found = []
        for values, wanted in zip(arrays, self.sample.inputs, strict=True):
            try:
                x = input_values(values, wanted, name, at)
            except DataError as error:
                raise InputError(str(error)) from error
            x = self._resized(x, wanted)
            came = Tensor(x.shape[1:], str(x.dtype))
            if came != wanted:
                of = "" if came.dtype == wanted.dtype else f" of {came.dtype}"
                said = f"{_described(came)}{of}, and the network reads {_described(wanted)}"
                raise InputError(f"{name} has samples of {said}")
            found.append(x)
        return tuple(found)

    def _resized(self, x: Array, wanted: Tensor) -> Array:
        """Return samples in the size to which the run's `resize` brought those that train."""
        to = self.preparation.resize
        other = x.ndim == 4 and x.shape[1] == wanted.shape[0] and x.shape[2:] != to
        if to is None or not other or not len(x):
            return x
        made = interpolate(torch.from_numpy(x), to, mode="bilinear", antialias=True)
        return np.asarray(made.numpy())

    def _of_table(self, place: dict[str, Any], path: Path) -> Iterator[_Given]:
        """Yield the rows of a table."""
        (wanted, *others) = self.sample.inputs
        if others:
            raise InputError(f"{path} is one table, and {self._reads_several()}")
        if len(wanted.shape) > 1:
            read = _described(wanted)
            raise InputError(f"{path} holds rows of numbers, and the network reads {read}")
        source = self.data if isinstance(self.data, Csv) else None
        try:
            table = _Table(path, source, wanted.shape[0] if wanted.shape else 1)
        except (OSError, ValueError, csv.Error) as error:
            raise UnreadableError(f"{path} cannot be read: {_reason(error)}") from error
        values = table.numbers.reshape(-1, *wanted.shape)
        if not wanted.floating:
            parts = (values % 1 != 0).reshape(len(values), -1)
            if parts.any():
                row, column = (int(axis[0]) for axis in parts.nonzero())
                part = f"{values.reshape(parts.shape)[row, column]:g} in line {table.lines[row]}"
                raise InputError(f"{path} has {part}, and the network reads whole numbers")
            values = values.astype("int64")
        (x,) = self._fitting((values,), str(path), lambda row: f"in line {table.lines[row]}")
        return (_Given(place | {"index": n}, (sample,)) for n, sample in enumerate(x))

    # What is predicted.

    def _predicted(self, samples: list[_Given]) -> Iterator[Prediction | InputError]:
        """Yield what is predicted for a batch; where the network refuses it, one by one."""
        try:
            outputs, scores = self._computed(samples)
        except TrainingError as error:
            if len(samples) == 1:
                yield InputError(f"{samples[0]}: {error}")
                return
            for sample in samples:
                yield from self._predicted([sample])
            return
        for row, sample in enumerate(samples):
            told = outputs if scores is None else (scores,)
            if not all(np.isfinite(y[row]).all() for y in told):
                yield InputError(f"{sample}: what the network gives is not finite")
            elif scores is not None:
                yield sample.place | self._class(scores[row])
            elif len(outputs) == 1:
                yield sample.place | {"output": outputs[0][row]}
            else:
                named = zip(self.outputs, outputs, strict=True)
                yield sample.place | {"outputs": {name: y[row] for name, y in named}}

    @torch.inference_mode()
    def _computed(self, samples: list[_Given]) -> tuple[tuple[Array, ...], Array | None]:
        """Return the network's outputs, and of a loss that has them the probabilities, last axis.

        Raises:
            TrainingError: torch refuses the samples.
        """
        with refused("the samples"):
            columns = zip(*(sample.inputs for sample in samples), strict=True)
            x = tuple(torch.from_numpy(np.stack(column)).to(self.device) for column in columns)
            y = self.module(*(self.prepare(x) if self.prepare else x))
            outputs = (y,) if isinstance(y, torch.Tensor) else tuple(y)
            scores = None
            if self.criterion is not None:
                none = torch.zeros((len(samples), *self.places), dtype=torch.int64)
                flat, _ = self.criterion.compared(y, none.to(self.device))
                shares = flat.float().softmax(1)  # (samples · places, classes)
                scores = shares.reshape(len(samples), *self.places, -1).cpu().numpy()
            return tuple(output.float().cpu().numpy() for output in outputs), scores

    def _class(self, shares: Array) -> dict[str, Any]:
        """Return the class of a sample, or those of its places, by the probabilities of all."""
        if self.places:
            return {"class": shares.argmax(-1), "probability": shares.max(-1)}
        order = np.argsort(-shares, kind="stable")[: self.top]
        best = [self._named(int(number), shares[number]) for number in order]
        return best[0] | ({"top": best} if self.top > 1 else {})

    def _named(self, number: int, share: Any) -> dict[str, Any]:
        name = {"name": self.class_names[number]} if self.class_names else {}
        return {"class": number} | name | {"probability": shortest(share)}


class _Table:
    """The rows of a file of text: of each the numbers that are read, and the line it stands in."""

    def __init__(self, path: Path, source: Csv | None, wanted: int) -> None:
        self.path, self.lines = path, array("Q")
        numbers = array("d")
        separator = _TABLES[path.suffix.lower()]
        if source is not None and separator == ",":
            separator = source.separator
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=separator)
            first = [cell.strip() for cell in next((row for row in rows if row), [])]
            if not first:
                raise InputError(f"{path} is empty")
            read = self._header(first, source)
            if read is not None and len(read) != wanted:
                raise InputError(f"{path} has {_columns(len(read))}, and {_wants(wanted)}")
            width = wanted if read is None else len(first)
            said = _wants(wanted) if read is None else f"its header has {width}"
            begun = [first] if read is None else []
            read = [*range(wanted)] if read is None else read
            for row in chain(begun, rows):
                if row:
                    if len(row) != width:
                        here = f"{_columns(len(row))} in line {rows.line_num}"
                        raise InputError(f"{path} has {here}, and {said}")
                    numbers.extend(self._number(row[n].strip(), rows.line_num) for n in read)
                    self.lines.append(rows.line_num)
        if not self.lines:
            raise InputError(f"{path} has no rows of numbers")
        self.numbers = np.frombuffer(numbers)

    def _header(self, first: list[str], source: Csv | None) -> list[int] | None:
        """Return which columns are read, in the order of training; None where no names are there.

        Raises:
            InputError: one of those that were trained with is missing, or there twice.
        """
        trained = _trained_columns(source)
        if not (trained and {*trained} <= {*first}) and any(map(_is_number, first)):
            return None
        if trained is None:
            target = source.target if source else ""
            return [n for n, name in enumerate(first) if name not in {"", target}]
        for name in trained:
            if first.count(name) != 1:
                said = "two columns" if name in first else "no column"
                known = ", ".join(first)
                raise InputError(f"{self.path} has {said} {name}: its columns are {known}")
        return [first.index(name) for name in trained]

    def _number(self, cell: str, line: int) -> float:
        if cell.lower() in _BOOLEANS:
            return _BOOLEANS[cell.lower()]
        if not _is_number(cell):
            said = f"{cell[:20]!r} is no number" if cell else "a value is missing"
            raise InputError(f"{self.path}: {said} in line {line}")
        return float(cell)


def shortest(value: Any) -> float:
    """Return a float32 as the shortest decimal number that means the same."""
    return float(str(np.float32(value)))


def _spread(given: Input) -> Iterator[Input | InputError]:
    """Yield an input, or the images in a folder and below it, or why there is none."""
    if isinstance(given, np.ndarray):
        yield given
        return
    path = Path(given)
    try:
        if not path.is_dir():
            path.stat()
            yield given
            return
        found = sorted(path.rglob("*"))
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL character
        yield UnreadableError(f"{given} cannot be read: {_reason(error)}")
        return
    images = [file for file in found if file.suffix.lower() in SUFFIXES]
    images = [f for f in images if not any(n[0] == "." for n in f.relative_to(path).parts)]
    yield from images
    if not images:
        yield UnreadableError(f"{path} is a folder without images")


def _is_single(array: Array, wanted: Tensor) -> bool:
    """Whether an array is one sample, without an axis of samples in front.

    As in training, an axis of one channel may be left out.
    """
    axes = len(wanted.shape)
    if wanted.shape[:1] == (1,) and array.ndim <= axes and array.shape[:1] != (1,):
        axes -= 1
    return array.ndim == axes


def _at_index(start: int, *, single: bool) -> Callable[[int], str]:
    return lambda index: "at one place" if single else f"at index {start + index}"


def _values(stored: Stored) -> Array:
    """Return the values of an array, those of a plain file as they are wanted."""
    if stored.member is not None or not stored.nbytes or not stored.shape:
        return stored.values()
    order: Any = "F" if stored.fortran else "C"
    return np.memmap(stored.path, stored.descr, "r", stored.start, stored.shape, order)


def _trained_columns(source: Csv | None) -> tuple[str, ...] | None:
    """Return the columns that a network was trained with; None where that is not known."""
    if source is None:
        return None
    if source.inputs is not None:
        return source.inputs
    try:
        with Path(source.file).open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file, delimiter=source.separator), [])
    except (OSError, ValueError, csv.Error):
        return None
    return tuple(name for name in header if name not in {"", source.target}) or None


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None


def _columns(count: int) -> str:
    return f"{count} column" + ("" if count == 1 else "s")


def _wants(count: int) -> str:
    return f"the network reads {count}"


def _criterion(criterion: Criterion, state: dict[str, Any], place: Path) -> Criterion:
    """Return a loss with the weights that it learned itself; those of classes play no part."""
    try:
        missing = criterion.module.load_state_dict(state["loss"], strict=False).missing_keys
    except (KeyError, TypeError, RuntimeError, AttributeError) as error:
        raise TrainingError(f"the checkpoint {place} is no state of this training") from error
    if missing:
        raise TrainingError(f"the checkpoint {place} is no state of this training")
    criterion.first.ignores = False  # every sample counts
    return criterion


def _names(data: Dataset, sample: Sample) -> tuple[str, ...] | None:
    """Return what a source calls its classes, where its files are there."""
    try:
        match data:
            case ImageFolder():
                return data._listed(None)[0]  # noqa: SLF001  until the contract has names
            case Csv() if Path(data.file).is_file():
                columns = data._scan(None).columns  # noqa: SLF001  the same
                assert columns is not None
                labels = data._labels(columns[data.target], sample)  # noqa: SLF001  the same
                return None if labels is None else tuple(map(str, labels))
            case Iris() | Wine() | BreastCancer():
                from sklearn import datasets

                bundled = {Iris: "iris", Wine: "wine", BreastCancer: "breast_cancer"}
                return tuple(getattr(datasets, f"load_{bundled[type(data)]}")().target_names)
    except (DataError, OSError, KeyError):
        pass
    return None


def _device(name: str) -> torch.device:
    """Return the device that trained, or where there is none the fastest there is."""
    try:
        return device_of(name)
    except TrainingError:
        return device_of("auto")


def _described(tensor: Tensor) -> str:
    shape = times(tensor.shape) if tensor.shape else "one number"
    return shape if tensor.dtype == "float32" else f"{shape} of {tensor.dtype}"


def _reason(error: Exception) -> str:
    said = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
    return str(said or type(error).__name__)
