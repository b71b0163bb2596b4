"""What the rest stands on: configuration, statistics, evidence, the two books, the workflow."""
