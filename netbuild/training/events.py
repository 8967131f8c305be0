"""Event files for TensorBoard in the folder of a run, if `train.tensorboard` is true.

    tensorboard --logdir runs

The horizontal axis is the number of optimizer steps. The loss of every tenth step is `loss/step`.
Each epoch adds its metrics: `loss/train`, `loss/val`, `accuracy/val`, `lr`. Each session of a run
writes its own file. A resumed session first cuts off the events that it repeats. Its file tells
this to a TensorBoard that has read them already.

The records have the format TFRecord:
https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
"""

from __future__ import annotations

import importlib.util
import math
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

#: The loss of every tenth step is written.
EVERY = 10

_STEP = "loss/step"
_FILES = "events.out.tfevents.*"
_LENGTH = struct.Struct("<QI")  # the length of the data, and a checksum of the length
_CHECKSUM = 4


def expect_package(train: Train) -> None:
    """Check that tensorboard is installed if the config asks for events.

    Raises:
        TrainingError: the message says how to install it.
    """
    if train.tensorboard and importlib.util.find_spec("tensorboard") is None:
        message = 'train.tensorboard needs tensorboard: pip install "netbuild[tensorboard]"'
        raise TrainingError(message)


class Events:
    """Writes the events of a run, if the config asks for events.

    Each event is written at once, so a kill loses no event from before the last checkpoint.
    """

    def __init__(self, folder: Path, *, wanted: bool) -> None:
        self.folder, self.wanted = folder, wanted
        self._writer: Any = None
        self._since = 0

    def resume(self, position: Position) -> None:
        """Cut off the events after a position, which the training repeats."""
        if not self.wanted:
            return
        for path in sorted(self.folder.glob(_FILES)):
            _cut(path, position)
        self._since = position.total + 1

    def step(self, total: int, loss: float) -> None:
        """Write the loss of every tenth step, given the number of all steps; NaN is no loss."""
        if self.wanted and total % EVERY == 0 and math.isfinite(loss):
            self._write(total, {_STEP: loss})

    def epoch(self, total: int, metrics: Mapping[str, Any]) -> None:
        """Write the metrics of an epoch, given the number of all steps at its end."""
        if self.wanted:
            numbers = {n: v for n, v in metrics.items() if isinstance(v, float) and n != "seconds"}
            there = {_tag(name): value for name, value in numbers.items() if math.isfinite(value)}
            self._write(total, there)

    def close(self) -> None:
        """Close the file, if one is open. The next event begins a new file."""
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
        """Open the file of this session, and write the first step that it replaces."""
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
    """Return TensorBoard's name of a metric. It groups curves by the part before `/`."""
    split, _, rest = name.partition("_")
    return f"{rest}/{split}" if split in {"train", "val"} else name


def _cut(path: Path, position: Position) -> None:
    """Cut off the events after a position, and an incomplete record at the end of the file."""
    from tensorboard.compat.proto import event_pb2

    data = path.read_bytes()
    kept = 0
    for record, end in _records(data):
        event = event_pb2.Event.FromString(record)
        tags = [value.tag for value in event.summary.value]
        # The step of the position is finished. Metrics of an unfinished epoch are written again.
        again = event.step == position.total and position.step > 0 and tags != [_STEP]
        if tags and (event.step > position.total or again):
            break
        kept = end
    if kept < len(data):
        os.truncate(path, kept)


def _records(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the complete records of a file, each with the offset of its end."""
    start = 0
    while start + _LENGTH.size <= len(data):
        length, _ = _LENGTH.unpack_from(data, start)
        begin = start + _LENGTH.size
        start = begin + length + _CHECKSUM
        if start > len(data):
            return
        yield data[begin : begin + length], start
