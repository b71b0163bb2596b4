"""The embedded language model: an extractive reader that speaks the OpenAI protocol."""
