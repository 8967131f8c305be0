"""TODO: https://docs.pytorch.org/docs/stable/nn.html."""
