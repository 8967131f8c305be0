"""Right files, broken in one way: what is offered for the fault repairs it."""
