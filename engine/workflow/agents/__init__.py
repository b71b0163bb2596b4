"""How an agent comes to its answer: one turn, tool calls, a team, a draft and its review."""
