"""The tables of all layers, by family: one module here for each of `netbuild.layers`.

Every property is tested over every row and every case, in `tests/test_layers.py` and
`tests/test_layers_fuzz.py`; a layer of `netbuild` without rows or cases fails a test.
"""

from tests.layers import (
    activation,
    conv,
    dropout,
    embedding,
    linear,
    norm,
    padding,
    pool,
    recurrent,
    tensor,
    transformer,
    vision,
)
from tests.layers.contract import Family

MODULES = (
    conv,
    pool,
    padding,
    norm,
    activation,
    dropout,
    linear,
    recurrent,
    transformer,
    embedding,
    vision,
    tensor,
)
FAMILIES: dict[str, Family] = {
    kind: module.FAMILY for module in MODULES for kind in module.FAMILY.cases
}
