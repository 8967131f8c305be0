"""Some random files with a wrong literal; `python -m tests.graph.behind_expressions` tries more."""

import random

from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from tests.graph.behind_expressions import case, check


@examples(300)
@given(st.integers(0, 1 << 32))
def test_fixes_edit_literals(seed: int) -> None:
    """No fix changes an expression, an alias, or a base that has no fault by itself."""
    check(case(random.Random(seed)))  # noqa: S311
