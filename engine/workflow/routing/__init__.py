"""Chooses who answers a request: by what it wants, and by how hard it is."""
