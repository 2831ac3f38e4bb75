"""Trains digits: a tiny vision transformer that reads scikit-learn's handwritten digits, 8 × 8 pixels."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from jaxtyping import Float, Int
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional

from dashboard.engine.progress import Progress, silent
from dashboard.training import stored

NAME = "digits"
SEED = 0
SIDE, BRIGHTEST = 8, 16
N_HELD_OUT = 360
STEPS, BATCH, RATE = 1_500, 64, 2e-3
_ENLARGED = 16
_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

CARD = """
# digits

Reads a handwritten digit, 8 × 8 shades of grey, bright on black. A vision transformer with four layers of four heads;
its patches are 2 × 2 pixels, so that a digit is 16 patches and what a head looks at can be followed by eye.

## Data and licence

The 1,797 digits that come with scikit-learn (BSD-3-Clause): the test set of “Optical Recognition of Handwritten Digits”
(E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998, CC BY 4.0). Each pixel counts the ink in 4 × 4 dots,
0 to 16. 360 of them, drawn by chance, were held out. In training, digits were moved by up to one pixel and their
brightness varied. The weights have the licence of this repository, Apache-2.0.

## Limits

It knows ten digits and calls every image one of them. The digit must fill the image and be bright on black: cut out and
invert a photo of dark ink on white paper first. The same people wrote digits that it learned from and digits that were
held out, so it will read strangers' handwriting less well than the figures say.
"""


def train(out: Path | None = None, progress: Progress = silent) -> str:
    """Trains the model, writes it where the repository keeps it (or to `out`), and gives what was measured."""
    data = load_digits()
    order = np.random.default_rng(SEED).permutation(len(data.target))
    held_out, learned = order[:N_HELD_OUT], order[N_HELD_OUT:]
    rows = [[int(data.target[i]), as_text(data.images[i])] for i in held_out]
    processor = _processor()
    pixels = processor([as_image(image) for image in data.images[learned]], return_tensors="pt").pixel_values
    stored.begin(SEED)
    network = _network()
    n_parameters = network.num_parameters()
    started = time.process_time()
    _fit(network, pixels, torch.tensor(data.target[learned]), progress)
    seconds = time.process_time() - started
    with stored.new_folder(NAME, out) as folder:
        stored.save_weights(network, folder)
        processor.save_pretrained(folder)
        stored.save_held_out({"digits": rows}, folder)
        _save_examples(folder, rows)
        progress("Measuring", None)
        return stored.write_card(
            folder,
            NAME,
            CARD,
            measure(folder, rows),
            seed=SEED,
            seconds=seconds,
            n_parameters=n_parameters,
            packages=("torch", "transformers", "scikit-learn"),
        )


def as_image(shades: Float[np.ndarray, "row column"], enlarged: int = 1) -> Image.Image:
    """The digit as a grey image: 0 is black, 16 white; each pixel as a square of `enlarged` pixels."""
    grey = np.rint(shades * (255 / BRIGHTEST)).astype(np.uint8)
    return Image.fromarray(grey.repeat(enlarged, 0).repeat(enlarged, 1))


def as_text(shades: Float[np.ndarray, "row column"]) -> str:
    """The digit's rows, each pixel as a digit of base 17."""
    return " ".join("".join("0123456789abcdefg"[int(shade)] for shade in row) for row in shades)


def from_text(text: str) -> Float[np.ndarray, "row column"]:
    """The digit that `as_text` wrote."""
    return np.array([[int(shade, 17) for shade in row] for row in text.split()], float)


def _processor() -> Any:
    """Larger images are averaged down to 8 × 8, as the data were made."""
    return transformers.ViTImageProcessorPil(
        size={"height": SIDE, "width": SIDE},
        resample=Image.Resampling.BOX,
        image_mean=[0.3],
        image_std=[0.4],
    )


def _network() -> Any:
    return transformers.ViTForImageClassification(
        transformers.ViTConfig(
            image_size=SIDE,
            patch_size=2,
            num_channels=1,
            hidden_size=64,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=128,
            hidden_dropout_prob=0.0,
            initializer_range=0.1,
            id2label=dict(enumerate(_NAMES)),
            label2id={name: i for i, name in enumerate(_NAMES)},
        )
    )


def _fit(
    network: Any, pixels: Float[Tensor, "image 1 row column"], labels: Int[Tensor, " image"], progress: Progress
) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS, pct_start=0.1)
    network.train()
    for step in range(STEPS):
        rows = torch.randint(len(labels), (BATCH,))
        logits = network(pixel_values=_varied(pixels[rows])).logits
        loss = functional.cross_entropy(logits, labels[rows], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            progress(f"Training, loss {loss.item():.3f},", step / STEPS)
    network.eval()


def _varied(pixels: Float[Tensor, "image 1 row column"]) -> Float[Tensor, "image 1 row column"]:
    """The digits moved by up to one pixel, on black, and a little brighter or darker."""
    black = pixels.min()
    room = functional.pad(pixels - black, (1, 1, 1, 1))
    down, right = torch.randint(3, (2, len(pixels)))
    rows, columns = ((place[:, None] + torch.arange(SIDE)) for place in (down, right))  # [image, pixel]
    moved = room[torch.arange(len(pixels))[:, None, None], 0, rows[:, :, None], columns[:, None, :]][:, None]
    return moved * torch.empty(len(pixels), 1, 1, 1).uniform_(0.8, 1.2) + black


@torch.no_grad()
def measure(folder: Path, rows: list[list[Any]]) -> dict[str, float]:
    """What the stored model gets right."""
    processor = transformers.ViTImageProcessorPil.from_pretrained(folder)
    network = transformers.AutoModelForImageClassification.from_pretrained(folder, dtype=torch.float32)
    pixels = processor([as_image(from_text(text)) for _, text in rows], return_tensors="pt").pixel_values
    found = network(pixel_values=pixels).logits.argmax(-1)
    return {"digits read correctly": float((found == torch.tensor([label for label, _ in rows])).float().mean())}


def _save_examples(folder: Path, rows: list[list[Any]]) -> None:
    """The first held-out image of some digits, enlarged to be seen: the processor makes the same 8 × 8 of it."""
    (folder / "examples").mkdir()
    for wanted in (3, 0, 4, 7, 8):
        text = next(text for label, text in rows if label == wanted)
        as_image(from_text(text), _ENLARGED).save(folder / "examples" / f"digit-{wanted}.png", optimize=True)
