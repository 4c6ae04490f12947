"""The `countersign` command: over HTTP only, so that it works from any laptop. Documented in docs/commands.md."""

from countersign.cli.command import app, main

__all__ = ["app", "main"]
