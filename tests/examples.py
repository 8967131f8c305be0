"""How many examples a test draws."""

from hypothesis import settings


def examples(number: int) -> settings:
    """Return settings of as many examples with `--full`, and else of a fifth.

    The profile that `conftest.py` loads says how many there are in place of 100.
    """
    return settings(max_examples=-(-number * settings.default.max_examples // 100))
