"""An image as a model takes it."""

from dataclasses import dataclass
from typing import Any

from PIL import Image

from dashboard.engine.errors import InvalidInput
from dashboard.engine.inputs.images import check_image, fingerprint, patch_tokens, picture, plain
from dashboard.engine.inputs.tokens import Token
from dashboard.engine.models.loading import LoadedModel
from dashboard.engine.tracing.encoding import Encoded


@dataclass(frozen=True)
class EncodedImage(Encoded):
    """An image as the model takes it; its tokens are its patches."""

    patches: tuple[Token, ...] = ()

    def tokens(self, tokenizer: Any) -> tuple[Token, ...]:
        """The patches, and the tokens before them."""
        return self.patches


def encode_image(model: LoadedModel, image: Image.Image, at: int | None = None) -> EncodedImage:
    """The image as the model takes it.

    Raises:
        InvalidInput: The model reads texts, or the image is too small, too large or too long.
    """
    vision = model.vision
    if vision is None:
        raise InvalidInput(f"{model.title} reads texts, not images.", "Type a text, or choose a vision transformer.")
    check_image(image)
    upright = plain(image)
    pixels = vision.pixels(upright, model.network)
    shown = picture(vision.processor, pixels, vision.grid)
    tokens = patch_tokens(vision.grid, shown.rows, shown.columns, vision.special)
    return EncodedImage(
        given=f"image {fingerprint(upright)}",
        text="",
        inputs={"pixel_values": pixels},
        offsets=[(0, 0)] * len(tokens),
        segments=(0,) * len(tokens),
        at=at,
        picture=shown,
        patches=tokens,
    )
