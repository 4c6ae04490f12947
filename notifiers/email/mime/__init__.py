"""A mail as it is built: its parts, their encodings, and which of them are shown."""
