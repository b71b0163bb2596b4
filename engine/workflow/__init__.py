"""The execution layer: retrieval, the language model's client, tools, and the graph of agents."""
