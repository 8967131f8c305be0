"""From a file of ONNX to a module of torch, which the import reads as any other module."""
