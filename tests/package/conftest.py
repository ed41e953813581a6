import pytest

from tools.release.archive import snapshot


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    """The pack as it would be published, were the tracked files committed as they are now."""
    return snapshot(tmp_path_factory.mktemp("published") / "repository")
