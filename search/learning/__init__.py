"""The search that learns: a model of quality from differences to the concurrent baseline."""
