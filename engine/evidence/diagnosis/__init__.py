"""Where a workflow's time, tokens and money go, and what to turn about it."""
