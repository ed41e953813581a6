"""What SECURITY.md says of files that a run leaves."""

import re

import folder_paths
import pytest
from host.models.node_inputs import mask_inputs
from host.models.tiny_diffusion import picture, prompt, tiny_model
from time_diffedit.nodes import DiffEditMask

DRAWN = re.compile(r"TimeDiffEdit_[0-9a-f]{32}\.safetensors|ComfyUI_temp_[a-z]{5}_\d+_\.png")


@pytest.fixture
def folders(tmp_path):
    """All folders of the host that are written to, empty."""
    before = folder_paths.get_temp_directory(), folder_paths.get_output_directory(), folder_paths.get_user_directory()
    for number, setter in enumerate(
        (folder_paths.set_temp_directory, folder_paths.set_output_directory, folder_paths.set_user_directory)
    ):
        (tmp_path / str(number)).mkdir()
        setter(str(tmp_path / str(number)))
    yield tmp_path
    folder_paths.set_temp_directory(before[0])
    folder_paths.set_output_directory(before[1])
    folder_paths.set_user_directory(before[2])


def test_a_mask_leaves_only_its_files_in_the_temporary_folder(folders):
    """Of two pictures: the values, and for each of them the picture below, the heat map and the mask."""
    DiffEditMask.execute(tiny_model(), picture(2), prompt(0), 0, 1, 0.5, **mask_inputs(), source=prompt(1))
    left = [path for path in folders.rglob("*") if path.is_file()]
    assert {path.parent.name for path in left} == {"0"}
    assert all(DRAWN.fullmatch(path.name) for path in left)
    assert sorted(path.suffix for path in left) == [".png"] * 6 + [".safetensors"]
