"""The store measured: what a fact costs to write, to keep and to look back on."""
