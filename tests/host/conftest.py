"""Nodes run as the host's executor runs them: without gradients, of which the models of some hosts would keep all they need."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def as_the_executor_does(request: pytest.FixtureRequest) -> Iterator[None]:
    """Except for what is marked `gradients`."""
    with torch.inference_mode(request.node.get_closest_marker("gradients") is None):
        yield
