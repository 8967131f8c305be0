"""The tests, in the rooms of what they test; here at the top stands what tests the whole.

`python -m tests.fuzz` and `python -m tests.mutations` are the long runs of two of them.
"""

from pathlib import Path

#: The folder of the project.
ROOT = Path(__file__).parent.parent
