"""The `trimtab` command line and the machines that it starts."""
