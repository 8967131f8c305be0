"""The metrics of a training: sums over batches, and predictions that are kept for torchmetrics."""
