"""From a graph to a module of torch: from here on, torch is imported."""
