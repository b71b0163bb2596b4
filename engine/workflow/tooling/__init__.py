"""Tools that a language model may call: what they are, who may call them, and how a call goes."""
