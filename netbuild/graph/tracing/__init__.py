"""The walk over the stacks of a file, which infers the shapes of all layers."""
