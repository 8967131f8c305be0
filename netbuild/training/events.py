"""What TensorBoard shows of a run: event files in its folder, where `train.tensorboard` is true.

    tensorboard --logdir runs

Steps of the optimizer are the axis of everything. The loss of every tenth step is `loss/step`, and
behind an epoch stands each of its metrics: `loss/train`, `loss/val`, `accuracy/val`, `lr`. Each
session of a run has a file of its own. A resumed one first cuts off what it goes through again, and
says so in its file, for a TensorBoard that has read it already.

The records are those of TFRecord:
https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
"""

from __future__ import annotations

import importlib.util
import os
import struct
import time
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.exceptions import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from netbuild.config.train import Train
    from netbuild.runs.position import Position

#: Of so many steps the loss of one is written.
EVERY = 10

_STEP = "loss/step"
_FILES = "events.out.tfevents.*"
_LENGTH = struct.Struct("<QI")  # of the data, and the checksum of that
_CHECKSUM = 4


def expect_package(train: Train) -> None:
    """Refuse to train with events where nothing can write them.

    Raises:
        TrainingError: says how to install what is missing.
    """
    if train.tensorboard and importlib.util.find_spec("tensorboard") is None:
        message = 'train.tensorboard needs tensorboard: pip install "netbuild[tensorboard]"'
        raise TrainingError(message)


class Events:
    """The events of a run, written as they come; none where the config wants none.

    Nothing is held back, so that a kill loses none of what a checkpoint has behind it.
    """

    def __init__(self, folder: Path, *, wanted: bool) -> None:
        self.folder, self.wanted = folder, wanted
        self._writer: Any = None
        self._since = 0

    def resume(self, position: Position) -> None:
        """Cut off what comes behind a position, for it will come again."""
        if not self.wanted:
            return
        for path in sorted(self.folder.glob(_FILES)):
            _cut(path, position)
        self._since = position.total + 1

    def step(self, total: int, loss: float) -> None:
        """Note the loss of a step, if it is its turn."""
        if self.wanted and total % EVERY == 0:
            self._write(total, {_STEP: loss})

    def epoch(self, total: int, metrics: Mapping[str, Any]) -> None:
        """Note the metrics of an epoch which ended with a step."""
        if self.wanted:
            numbers = {n: v for n, v in metrics.items() if isinstance(v, float) and n != "seconds"}
            self._write(total, {_tag(name): value for name, value in numbers.items()})

    def close(self) -> None:
        """Close the file, if there is one; the next event begins another."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, total: int, values: Mapping[str, float]) -> None:
        from tensorboard.compat.proto import summary_pb2

        scalars = [
            summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()
        ]
        if self._writer is None:
            self._begin()
        self._record(step=total, summary=summary_pb2.Summary(value=scalars))

    def _begin(self) -> None:
        """Open a file of this session, and say from which step on it counts."""
        from tensorboard.compat.proto import event_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        # TensorBoard reads the files of a folder in the order of their names.
        name = _FILES.replace("*", f"{time.time_ns():020}.{os.getpid()}")
        file = (self.folder / name).open("xb", buffering=0)
        self._writer = RecordWriter(file)
        self._record(file_version="brain.Event:2")
        if self._since:
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._record(step=self._since, session_log=start)

    def _record(self, **fields: Any) -> None:
        from tensorboard.compat.proto import event_pb2

        event = event_pb2.Event(wall_time=time.time(), **fields)
        self._writer.write(event.SerializeToString())


def _tag(name: str) -> str:
    """Return what TensorBoard calls a metric: what comes before `/` puts curves together."""
    split, _, rest = name.partition("_")
    return f"{rest}/{split}" if split in {"train", "val"} else name


def _cut(path: Path, position: Position) -> None:
    """Shorten a file by what comes behind a position, and by what a full disk left half written."""
    from tensorboard.compat.proto import event_pb2

    data = path.read_bytes()
    kept = 0
    for record, end in _records(data):
        event = event_pb2.Event.FromString(record)
        tags = [value.tag for value in event.summary.value]
        # At the position itself the step is done; of an epoch under way the metrics come again.
        again = event.step == position.total and position.step > 0 and tags != [_STEP]
        if tags and (event.step > position.total or again):
            break
        kept = end
    if kept < len(data):
        os.truncate(path, kept)


def _records(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the whole records of a file, each with the place behind it."""
    start = 0
    while start + _LENGTH.size <= len(data):
        length, _ = _LENGTH.unpack_from(data, start)
        begin = start + _LENGTH.size
        start = begin + length + _CHECKSUM
        if start > len(data):
            return
        yield data[begin : begin + length], start
