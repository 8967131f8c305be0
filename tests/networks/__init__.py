"""Networks of the literature, each compared with a module of torch that is written by hand."""
