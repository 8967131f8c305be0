"""The networks of `tests/invalid/` whose shapes do not fit, as one writes them in torch.

Each function has the name of its file and raises what torch raises; `docs/faults.md` shows it
beside netbuild's message. The batch has two samples.
"""
