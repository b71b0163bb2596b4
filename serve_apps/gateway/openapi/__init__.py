"""The description of the HTTP API that clients and their tools read."""
