"""Python source of a network: one file with classes of torch, written without torch."""
