"""The tables of all layers: one module here for each family of `netbuild.components.layers`.

`test_layers.py` and `test_layers_fuzz.py` test every property over every row and every case.
A layer of `netbuild` without rows or cases fails a test.
"""

from netbuild.components.layers import LAYERS
from tests.components.layers import (
    activation,
    adaptive_pool,
    attention,
    batchnorm,
    conv,
    conv_transpose,
    distance,
    dropout,
    einsum,
    embedding,
    fold,
    indexing,
    join,
    linear,
    moving,
    noise,
    norm,
    pad,
    padding,
    pool,
    recurrent,
    reduction,
    selection,
    softmax,
    tensor,
    transformer,
    vision,
)
from tests.components.layers.contract import Family

MODULES = (
    conv,
    conv_transpose,
    pool,
    adaptive_pool,
    padding,
    fold,
    batchnorm,
    norm,
    activation,
    softmax,
    dropout,
    linear,
    distance,
    recurrent,
    attention,
    transformer,
    embedding,
    vision,
    tensor,
    selection,
    reduction,
    moving,
    pad,
    indexing,
    einsum,
    noise,
    join,
)
FAMILIES: dict[str, Family] = {
    kind: module.FAMILY for module in MODULES for kind in module.FAMILY.cases
}
#: What reads nothing, and is tested in `tests/graph/test_blocks.py` among what reads it.
#: What draws is tested in `test_noise.py`.
SOURCES = ("Parameter", "Randn", "Rand")
#: Every layer that reads something.
READERS = {kind: layer for kind, layer in LAYERS.items() if kind not in SOURCES}
