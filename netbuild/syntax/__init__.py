"""From text to a tree: YAML, expressions and items, each node with its place in the file."""
