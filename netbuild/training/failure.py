"""What can go wrong once torch runs."""


class TrainingError(RuntimeError):
    """Training cannot start or go on; the message is one sentence for the one who started it."""
