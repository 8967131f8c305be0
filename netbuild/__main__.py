"""`netbuild` and `python -m netbuild`."""

import gc
import os


def main() -> None:
    """Run the command line.

    The collector rests while modules load and a file is checked: none of that becomes garbage, and
    looking for some would be a tenth of the time of a short command. Training turns it on again.
    """
    gc.disable()
    # Pydantic would search every installed package for plug-ins, which takes as long as our models.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from netbuild.cli import run

    try:
        run()
    finally:
        gc.freeze()  # nor is there anything to look for at the exit


if __name__ == "__main__":
    main()
