"""Tasks: work that is accepted now, done when there is room, and asked for later."""
