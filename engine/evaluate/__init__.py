"""Declared metrics put to work: from the text of an answer to a score in [0, 1]."""
