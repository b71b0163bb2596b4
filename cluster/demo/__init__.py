"""The demonstration: a workflow, its questions, and people who rate the answers."""
