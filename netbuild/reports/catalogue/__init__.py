"""The catalogue: pages of what a file can name."""
