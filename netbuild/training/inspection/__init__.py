"""One sample through a built network, layer by layer: values, gradients, and what is wrong."""
