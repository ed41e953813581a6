"""What makes two models of one kind."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelKind:
    """What two models must share for one to follow the other's trajectory. Their weights may differ.

    Attributes:
        model: class of the model, e.g. "BaseModel".
        config: class of its configuration, e.g. "SD15".
        latent_format: class of its latent format, e.g. "SD15".
        prediction: what it predicts, e.g. "EPS".
        sigma_max: its highest noise level.
    """

    model: str
    config: str
    latent_format: str
    prediction: str
    sigma_max: float

    def __str__(self) -> str:
        return (
            f"{self.config} ({self.model}, {self.prediction} prediction, {self.latent_format} latents, "
            f"sigma up to {self.sigma_max:.6g})"
        )
