"""From a network that exists to a config: a module, a file of ONNX, a printed module."""
