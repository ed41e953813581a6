"""What a version consists of: its archive, words in five languages, recorded schemas and workflows, other people's checks."""
