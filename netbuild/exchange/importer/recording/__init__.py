"""The calls of a module while it runs, twice, with batches of two sizes."""
