"""The number of examples that a test draws."""

from hypothesis import settings


def examples(number: int) -> settings:
    """Return settings for this number of examples with `--full`, else for a fifth of it.

    The profile that `conftest.py` loads scales the number.
    """
    return settings(max_examples=-(-number * settings.default.max_examples // 100))
