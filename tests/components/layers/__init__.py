"""The tables of all layers: one module here for each family of `netbuild.components.layers`.

`test_layers.py` and `test_layers_fuzz.py` test every property over every row and every case.
A layer of `netbuild` without rows or cases fails a test.
"""

from netbuild.components.layers import LAYERS
from tests.components.layers import (
    activation,
    adaptive_pool,
    arithmetic,
    attention,
    batchnorm,
    conv,
    conv_transpose,
    distance,
    dot_product,
    dropout,
    einsum,
    embedding,
    fold,
    indexing,
    join,
    linear,
    mask_rows,
    moving,
    noise,
    norm,
    packed_rows,
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
from tests.torch_release import runs

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
    dot_product,
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
    arithmetic,
)
FAMILIES: dict[str, Family] = {
    kind: module.FAMILY for module in MODULES for kind in module.FAMILY.cases
}
for _kind, _rows, _edges, _strictness in (
    ("MultiheadAttention", mask_rows.ATTENTION_ROWS, mask_rows.ATTENTION_EDGES, ()),
    ("LSTM", packed_rows.PACKED_ROWS, packed_rows.PACKED_EDGES, packed_rows.PACKED_STRICTNESS),
    ("Transformer", mask_rows.TRANSFORMER_ROWS, mask_rows.TRANSFORMER_EDGES, ()),
):
    _family = FAMILIES[_kind]
    _more = _family._replace(
        rows=[*_family.rows, *_rows],
        edges=[*_family.edges, *_edges],
        strictness=[*_family.strictness, *_strictness],
    )
    FAMILIES |= dict.fromkeys(_family.cases, _more)


def _of_this_torch(family: Family) -> Family:
    """Return a family without the cases that the installed torch does not have."""
    rows = [row for row in family.rows if runs(row.type, row.fields)]
    edges = [case for case in family.edges if runs(case.kind, case.fields)]
    return family._replace(rows=rows, edges=edges)


_kept = {id(family): _of_this_torch(family) for family in FAMILIES.values()}
FAMILIES = {kind: _kept[id(family)] for kind, family in FAMILIES.items()}
#: What reads nothing, and is tested in `tests/graph/` among what reads it; what draws is tested in
#: `test_noise.py`.
SOURCES = ("Parameter", "Constant", "Randn", "Rand")
#: Every layer that reads something.
READERS = {kind: layer for kind, layer in LAYERS.items() if kind not in SOURCES}
