"""Networks as torchvision names their parts, written by hand in torch."""
