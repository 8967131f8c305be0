"""`netbuild new`: writes a file to start from."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from netbuild.cli import completion
from netbuild.cli.terminal import console, fail, print_whole, say
from netbuild.diagnostics.wording import suggest

_STARTER = """\
# netbuild summary {file}      what each layer does to the shape
# netbuild train {file}        trains the network; the results are in runs/{name}/
name: {name}

# The shape of one sample: channels, height, width. The batch axis is never written.
input: [1, 28, 28]

# Values with a name: $width stands for 16 below, $(width * 2) for 32.
# Try another value: netbuild summary {file} --set vars.width=32
vars: {{width: 16}}

# Layers have torch's names, arguments and defaults. Leave out sizes that follow from the input,
# such as in_channels and in_features.
layers:
  features:
    - Conv2d: {{out_channels: $width, kernel_size: 3, padding: 1, bias: false}}
    - BatchNorm2d
    - ReLU
    - MaxPool2d: 2              # a bare value is the first argument: kernel_size
    - Conv2d: {{out_channels: $(width * 2), kernel_size: 3, padding: 1, bias: false}}
    - BatchNorm2d
    - ReLU
    - AdaptiveAvgPool2d: 1
  classifier:
    - Flatten
    - Linear: 10

loss: CrossEntropyLoss
optimizer: {{Adam: {{lr: 1e-2}}}}

# 1,797 handwritten digits, which come with scikit-learn, scaled up to the input's size.
data: {{Digits, resize: [28, 28], validation: 0.2}}
train: {{epochs: 10, batch_size: 64, seed: 0}}
"""


def new(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="The name of the network, for NAME.yaml.  [default: that of --from]",
            show_default=False,
        ),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="WORKED",
            help="Begin with a worked network, such as resnet18 or torchvision/resnet50.",
            autocompletion=completion.worked,
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the worked networks.")] = False,
) -> None:
    """Write a commented file to start from, or a worked network.

    It never overwrites an existing file. The data and the base files that a worked network needs
    are written beside it.

    \b
    netbuild new mynet
    netbuild new configs/mynet.yaml
    netbuild new --list
    netbuild new mynet --from resnet18
    """
    if list_:
        if name is not None or from_ is not None:
            fail("--list stands alone")
        _print_list()
        return
    name = name or (from_ or "").rpartition("/")[2]
    if not name:
        fail("name the new network, or a worked one: --from resnet18")
    from netbuild.config.sections import NAME, unfit_name

    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if not re.fullmatch(NAME, path.stem):
        fail(f"{path.stem!r} is not a name: {unfit_name(path.stem)}")
    if from_ is not None:
        _write_worked(from_, path)
        return
    _write({path: _STARTER.format(name=path.stem, file=path).encode()})
    say(f"wrote {path}; next: netbuild summary {path}")


def _write(files: Mapping[Path, bytes], alike: frozenset[Path] = frozenset()) -> None:
    """Write files, but those `alike`. If one of them exists, exit before the first is written."""
    for path in files:
        if path not in alike and os.path.lexists(path):
            fail(f"{path} already exists")
    for path, data in files.items():
        if path in alike:
            continue
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            fail(f"{path} already exists")
        except OSError as error:
            fail(f"{path} cannot be written: {error.strerror or error}")


def _write_worked(name: str, path: Path) -> None:
    """Write a worked network, and beside it the files that it needs."""
    from netbuild.config import worked

    name = name.removesuffix(".yaml")
    known = tuple(one.name for one in worked.listed())
    if name not in known:
        of_torchvision = f"torchvision/{name}"
        near = of_torchvision if of_torchvision in known else suggest(name, known)
        hint = f"did you mean {near}?" if near else "netbuild new --list names them"
        fail(f"no worked network is called {name}: {hint}")
    source = worked.folder() / f"{name}.yaml"
    files = {path: worked.renamed(source.read_text("utf-8"), name, path).encode()}
    others = {path.parent / f.relative_to(source.parent): f for f in worked.needed(source)}
    data = {place: file.read_bytes() for place, file in others.items()}
    alike = frozenset(place for place in data if _holds(place, data[place]))
    if path in data:
        fail(f"{path} would replace a file that {name} needs: choose another name")
    parents = dict.fromkeys(p.parent for p in data if p.parent != path.parent and p not in alike)
    taken = [p for p in (path, *data) if p not in alike and os.path.lexists(p)]
    if taken:
        fail(f"{taken[0]} already exists")
    try:
        for parent in parents:
            parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{error.filename} cannot be written: {error.strerror or error}")
    _write(data | files, alike)
    say(f"wrote {_counted([path, *others], path.parent)}; next: netbuild summary {path}")
    for missing in _missing(path):
        say(f"{path} trains on {missing}, which you have to bring")


def _holds(path: Path, data: bytes) -> bool:
    """Whether a file holds these bytes."""
    try:
        return path.is_file() and path.read_bytes() == data
    except OSError:
        return False


def _counted(files: list[Path], parent: Path) -> str:
    """Return the names of the files beside a network; of a folder only its name."""
    names = list(dict.fromkeys(str(f if f.parent == parent else f.parent) for f in files))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _missing(path: Path) -> list[str]:
    """Return the files of data that a network names and that are not there."""
    from netbuild.config.load import read
    from netbuild.syntax.parser import from_file

    data = read(from_file(path)).data
    files = [getattr(data, name) for name in data.paths] if data else []
    return [file for file in files if file and not Path(file).exists()]


def _print_list() -> None:
    """Print the worked networks, their parameters and a sentence about each."""
    from rich.table import Table
    from rich.text import Text

    from netbuild.config.worked import listed

    made = Table(box=None, pad_edge=False, header_style="bold")
    made.add_column("name", no_wrap=True)
    made.add_column("params", justify="right", no_wrap=True)
    made.add_column("about", overflow="fold")
    for one in listed():
        made.add_row(Text(one.name), Text(one.params), Text(one.about))
    out = console()
    if out.is_terminal:  # a narrow one wraps the last column
        out.print(made, soft_wrap=False)
    else:
        print_whole(out, made)
