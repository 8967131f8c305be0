"""How `Graph`, `Config` and `Run` show themselves: a table in a terminal, HTML in a notebook."""
