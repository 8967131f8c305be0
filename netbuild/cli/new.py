"""`netbuild new`: writes a file to start from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from netbuild.cli.terminal import fail, say

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
        str, typer.Argument(metavar="NAME", help="The name of the network, for NAME.yaml.")
    ],
) -> None:
    """Write a commented file to start from.

    It never overwrites an existing file.

    \b
    netbuild new mynet
    netbuild new configs/mynet.yaml
    """
    from netbuild.config.sections import NAME, unfit_name

    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if not re.fullmatch(NAME, path.stem):
        fail(f"{path.stem!r} is not a name: {unfit_name(path.stem)}")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_STARTER.format(name=path.stem, file=path))
    except FileExistsError:
        fail(f"{path} already exists")
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror or error}")
    say(f"wrote {path}; next: netbuild summary {path}")
