"""The tests, in the same rooms as the code; the top level has the tests of the whole.

`python -m tests.fuzz` and `python -m tests.mutations` are long runs of two tests.
"""

from pathlib import Path

#: The folder of the project.
ROOT = Path(__file__).parent.parent
