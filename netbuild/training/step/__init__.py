"""One step of a training: loss, gradients, optimizer, schedule and metrics."""
