"""What the pack answers to the browser besides the nodes' own outputs."""


def register() -> None:
    """Add all routes to the host's server; nothing where there is none, as in a test or a tool."""
    from server import PromptServer  # the host's; it is slow to import for those that have no use for it

    from . import alignment

    server = getattr(PromptServer, "instance", None)
    if server is not None:
        alignment.register(server.routes)
