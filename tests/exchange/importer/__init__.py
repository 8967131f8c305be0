"""Networks that are read, and the configs that are written of them."""
