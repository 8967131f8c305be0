"""Data of a training: loaded, split, prepared and put into batches."""
