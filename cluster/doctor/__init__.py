"""What can be wrong with a machine or a workspace, and what to do about it."""
