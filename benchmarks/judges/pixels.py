"""How far an edited picture moved from the original: PSNR, MSE, SSIM, LPIPS and structure distance.

Pictures are float arrays (H, W, 3) in 0..1, `where` is bool (H, W): the pixels that count, as a rule the background.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage.color import rgb2lab
from skimage.metrics import structural_similarity

HIGHEST_PSNR = 120.0  # of equal pictures, for which it would be infinite
PUBLISHED = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": -1, "data_range": 1.0}
"""Of structural similarity."""
REACH = 5  # pixels from the middle of that window


def pixels_digest(picture: np.ndarray) -> str:
    """Of a picture's bytes: equal digests are equal pictures."""
    return hashlib.sha256(picture.tobytes()).hexdigest()[:16]


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two bool masks of one shape; 0 if both are empty."""
    return float((a & b).sum() / max(1, (a | b).sum()))


def best_of_cells(truth: np.ndarray, cell: int = 8) -> float:
    """The highest IoU that a mask of whole latent cells can have with `truth`: cells are taken in order of how much of it
    they hold."""
    rows, columns = (side // cell for side in truth.shape)
    shares = truth[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell).mean((1, 3)).ravel()
    taken = np.sort(shares)[::-1].cumsum() * cell**2
    area = np.arange(1, len(taken) + 1) * cell**2
    return float((taken / (area + truth.sum() - taken)).max())


def left_as_it_was(original: np.ndarray, wanted: np.ndarray, shown: np.ndarray, where: np.ndarray) -> float:
    """Which share of the pixels that should change is still nearer to the original than to what is wanted, in CIELAB."""
    old, new, now = (rgb2lab(picture)[where] for picture in (original, wanted, shown))
    return float((np.linalg.norm(now - old, axis=-1) < np.linalg.norm(now - new, axis=-1)).mean()) if where.any() else 0.0


def mse(a: np.ndarray, b: np.ndarray, where: np.ndarray | None = None) -> float:
    """Mean squared error of the pixels that count."""
    error = (np.asarray(a, np.float64) - b) ** 2
    return float((error if where is None else error[where]).mean())


def psnr(a: np.ndarray, b: np.ndarray, where: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB of the pixels that count, at most 120."""
    return float(-10 * np.log10(max(mse(a, b, where), 10 ** (-HIGHEST_PSNR / 10))))


def ssim(a: np.ndarray, b: np.ndarray, where: np.ndarray | None = None) -> float:
    """Structural similarity (Wang et al., 2004), -1..1: the mean of its map over the pixels that count.

    The window is 11 pixels wide, so pixels beside the others see a little of them. Sides must be 11 pixels at least.
    """
    _, similarity = structural_similarity(a, b, full=True, **PUBLISHED)
    return float((similarity if where is None else similarity[where]).mean())


def pie_bench(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> dict[str, float]:
    """MSE, PSNR and SSIM as PIE-Bench computes them: of whole pictures that are black where pixels do not count.

    The larger the black area, the better the values, so they compare with PIE-Bench's own tables only.
    """
    a, b = a * where[..., None], b * where[..., None]
    # Mirrored at the border, as torchmetrics has it; skimage's mean leaves out what is added here.
    mirrored = [np.pad(picture, ((REACH, REACH), (REACH, REACH), (0, 0)), mode="reflect") for picture in (a, b)]
    return {"MSE": mse(a, b), "PSNR": psnr(a, b), "SSIM": float(structural_similarity(*mirrored, **PUBLISHED))}


def self_similarity(vision: Any, picture: np.ndarray) -> torch.Tensor:
    """Cosines (patches, patches) between the features of a picture's patches.

    `vision`: the host's CLIP_VISION, of CLIP or SigLIP; its last layer but one is read, as CLIP's last is trained for
    one token only. The whole picture is seen, squeezed to the model's square.
    """
    pixels = torch.from_numpy(np.asarray(picture, np.float32))[None]
    tokens = vision.encode_image(pixels, crop=False)["penultimate_hidden_states"][0].float()
    patches = (vision.image_size // vision.config["patch_size"]) ** 2
    features = torch.nn.functional.normalize(tokens[-patches:], dim=-1)  # before them: class and register tokens
    return features @ features.T


def structure_distance(vision: Any, a: np.ndarray, b: np.ndarray) -> float:
    """Mean squared difference of the self-similarities of two pictures: what moved, whatever its colours.

    After Tumanyan et al., Splicing ViT Features (CVPR 2022), who take the keys of DINO's last layer, as PIE-Bench does;
    values compare only between runs with the same `vision`.
    """
    return float((self_similarity(vision, a) - self_similarity(vision, b)).square().mean())


def lpips_by(weights: Path) -> Callable[[np.ndarray, np.ndarray, np.ndarray], float]:
    """LPIPS (Zhang et al., CVPR 2018) of SqueezeNet as `measure(a, b, where)`, on pictures black elsewhere, as PIE-Bench does.

    `weights`: torchvision's squeezenet1_1 file; torchmetrics holds the rest. Nothing is downloaded.
    """
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
    from torchvision.models import SqueezeNet1_1_Weights

    with tempfile.TemporaryDirectory() as folder, ExitStack() as afterwards:
        # torchvision reads weights by this name from the hub's folder, and downloads what is not there.
        expected = Path(folder, "checkpoints", SqueezeNet1_1_Weights.IMAGENET1K_V1.url.rpartition("/")[2])
        expected.parent.mkdir()
        shutil.copyfile(weights, expected)
        afterwards.callback(torch.hub.set_dir, torch.hub.get_dir())
        torch.hub.set_dir(folder)
        model = LearnedPerceptualImagePatchSimilarity(net_type="squeeze", normalize=True)

    def measure(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
        one, other = (torch.from_numpy(np.asarray(x * where[..., None], np.float32)).movedim(-1, 0)[None] for x in (a, b))
        return float(model(one, other))

    return measure
