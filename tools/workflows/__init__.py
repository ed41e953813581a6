"""Workflows built in Python (`workflow`, `examples`) and written as templates and blocks (`templates`, `blueprints`)."""
