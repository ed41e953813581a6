"""What a version consists of: its archive, words in four languages, recorded schemas and workflows, other people's checks."""
