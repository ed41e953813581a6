"""The toy world: pictures that a program draws, and a small text-to-image model trained on them, in SD 1.5 format."""
