"""What can go wrong once torch runs."""


class TrainingError(RuntimeError):
    """Training cannot start or go on; the message is one sentence for the one who started it."""


class RunNotFoundError(TrainingError):
    """There is no run, or no checkpoint, where one was asked for."""
