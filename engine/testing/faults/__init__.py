"""A model server in a process of its own that answers, and fails, as its script says."""
