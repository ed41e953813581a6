"""The pictures of templates, help pages and the registry, made by running workflows."""
