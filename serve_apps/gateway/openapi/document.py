"""The whole description of the HTTP API, in OpenAPI 3.1."""

from importlib.metadata import version

from serve_apps.gateway.openapi.openai import CHAT, MESSAGES
from serve_apps.gateway.openapi.own import FEEDBACK, OTHER, RUNS, TASKS
from serve_apps.gateway.openapi.parts import parameters, refused
from serve_apps.gateway.openapi.paths import paths
from serve_apps.gateway.openapi.schema import Json

ABOUT = """\
Runs workflows of language models, as OpenAI's clients ask a model or in a shape of their own.

A bearer token is an API key: rates are counted and tasks are owned by it. Without one, a client
is one of the nameless. Every error has OpenAI's shape, and its `code` says what it was."""


def document() -> Json:
    """The description, as `GET /openapi.json` answers it."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Trimtab", "version": version("trimtab"), "description": ABOUT},
        "security": [{}, {"key": []}],
        "paths": paths(),
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "parameters": parameters(),
            "responses": refused(),
            "schemas": MESSAGES | CHAT | RUNS | TASKS | FEEDBACK | OTHER,
        },
    }
