"""The search for fixes: changes of a file with which a layer fits its input."""
