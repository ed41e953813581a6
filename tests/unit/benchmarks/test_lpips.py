"""LPIPS with AlexNet against torchmetrics' own, whose heads are those of the lpips package."""

import io
import pickle

import numpy as np
import pytest
import torch
import torchmetrics.functional.image.lpips as reference
from scipy.ndimage import gaussian_filter
from skimage import data

from benchmarks.judges.perceptual import Lpips, lpips
from tools.comfyui.perceptual import WEIGHTS, ArraysOnly


@pytest.fixture(scope="module")
def pictures():
    """A photograph, the same blurred, and another one: (3, 128, 128, 3) in 0..1."""
    astronaut, cat = (picture[:256:2, :256:2].astype(np.float32) / 255 for picture in (data.astronaut(), data.chelsea()))
    return np.stack([astronaut, gaussian_filter(astronaut, (3, 3, 0)), cat])


@pytest.fixture(scope="module")
def theirs():
    network = reference._LPIPS(pretrained=True, net="alex", pnet_rand=True, eval_mode=True)
    ours = lpips().weights
    features = [name for name in network.state_dict() if name.startswith("net.slice")]
    wanted = [f"conv{number}.{kind}" for number in range(5) for kind in ("weight", "bias")]
    network.load_state_dict({name: ours[key] for name, key in zip(features, wanted, strict=True)}, strict=False)
    return network


def test_the_heads_are_the_packages_own(theirs):
    for number in range(5):
        assert torch.equal(lpips().weights[f"head{number}"], theirs.state_dict()[f"lin{number}.model.1.weight"].flatten())


def test_same_distances(pictures, theirs):
    a, b = pictures[[0, 0, 0]], pictures[[0, 1, 2]]
    found = lpips()(a, b)
    one, other = (torch.from_numpy(x).movedim(-1, 1) for x in (a, b))
    with torch.no_grad():
        wanted = theirs(one, other, normalize=True).flatten().numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert found[0] == 0 and 0.1 < found[1] < found[2]


def test_missing_weights_say_how_they_are_made(tmp_path):
    with pytest.raises(FileNotFoundError, match="tools.comfyui.perceptual"):
        Lpips(tmp_path / WEIGHTS.name)


def test_a_pickle_that_would_run_something_is_refused():
    with pytest.raises(pickle.UnpicklingError, match="no array"):
        ArraysOnly(io.BytesIO(pickle.dumps(print))).load()
    read = ArraysOnly(io.BytesIO(pickle.dumps({"a": 1.5}))).load()
    assert read == {"a": 1.5}
