"""The exceptions of netbuild. Those marked * are exported by `netbuild`, for programs to catch.

NetbuildError *
├── ConfigError *           a config has faults
├── TrainingError *         a training, an evaluation or a prediction cannot start or go on
│   ├── RunNotFoundError *  there is no run, or no checkpoint
│   └── InputError *        an input does not fit the network that predicts
│       └── UnreadableError *  an input is missing or cannot be read
├── Interrupted *           a training was asked to stop, and has saved its state
├── OutputError             standard output or standard error cannot be written
├── ExportError *           a network cannot be exported, or its file differs from it
├── WeightsError *          a file holds no weights
│   └── ForeignError        a pickle names what a file of weights does not have
├── SettingsError           a command has a setting that cannot be understood
└── ExpressionError         an expression in a config has no value

Two exceptions stand outside the tree, because `netbuild.components` knows nothing else of netbuild.
A layer, a loss or another component raises `ShapeError` where it does not fit its input; a data
source raises `DataError` where it has no such samples. Plug-ins import both from `netbuild`.
netbuild catches them and reports a fault, so no function of netbuild raises them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netbuild.diagnostics.diagnostic import Diagnostic


class NetbuildError(Exception):
    """The base of all exceptions that functions of netbuild raise on purpose.

    Where a file cannot be read or written, they raise Python's own `OSError`.
    """


class ConfigError(NetbuildError, ValueError):
    """A config has faults. `diagnostics` holds all of them."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(
            "\n".join(
                f"{d.span.document.name}:{d.span.line}:{d.span.column}: {d.code} {d.message}"
                for d in self.diagnostics
            )
        )


class TrainingError(NetbuildError, RuntimeError):
    """A training, an evaluation or a prediction cannot start or go on.

    The message is one sentence for the person who started it.
    """


class RunNotFoundError(TrainingError):
    """There is no run, or no checkpoint, at the given place."""


class InputError(TrainingError):
    """An input does not fit the network that predicts. The message is one sentence."""


class UnreadableError(InputError):
    """An input of a prediction is missing or cannot be read."""


class Interrupted(NetbuildError):  # noqa: N818  not an error: somebody asked for it
    """A training was asked to stop, and has saved its state."""


class OutputError(NetbuildError, OSError):
    """Standard output or standard error cannot be written."""


class ExportError(NetbuildError, RuntimeError):
    """A network cannot be exported, or the exported file differs from it. One sentence."""


class ImportedError(NetbuildError, RuntimeError):
    """A network cannot be read, or its config differs from it. One sentence."""


class WeightsError(NetbuildError, ValueError):
    """A file does not hold tensors by name. The message says what the file holds."""


class ForeignError(WeightsError):
    """A pickle names a function or a class that a `state_dict()` does not have."""


class SettingsError(NetbuildError, ValueError):
    """A setting of a command cannot be understood. The message is one sentence."""


class ExpressionError(NetbuildError, ValueError):
    """An expression in a config is malformed, names something unknown, or has no value.

    `misspelt` is an unknown name with its position in the expression and a similar name.
    """

    def __init__(self, message: str, misspelt: tuple[int, str, str] | None = None) -> None:
        super().__init__(message)
        self.misspelt = misspelt
