"""Asks language models over the OpenAI protocol, and keeps answering while they fail."""
