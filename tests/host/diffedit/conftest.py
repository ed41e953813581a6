"""What the nodes show lies in a folder of each test's own."""

from collections.abc import Iterator
from pathlib import Path

import folder_paths
import pytest


@pytest.fixture(autouse=True)
def temp_directory(tmp_path: Path) -> Iterator[Path]:
    before = folder_paths.get_temp_directory()
    folder_paths.set_temp_directory(str(tmp_path))
    yield tmp_path
    folder_paths.set_temp_directory(before)
