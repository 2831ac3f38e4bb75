"""Files of images: every kind shows the same, and what cannot be read is named."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny import opened
from tiny_vision import photo

from dashboard.engine import LoadedModel, trace
from dashboard.engine.errors import InvalidInput
from dashboard.engine.inputs.images import LARGEST, open_image, plain


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory, device: str) -> LoadedModel:
    return opened("vit for classes", tmp_path_factory.mktemp("vit"), device)


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_files_of_every_kind_show_the_same(vit: LoadedModel) -> None:
    image = photo(40, 40)
    grey = image.convert("L")
    same: list[tuple[bytes, Image.Image]] = [
        (_saved(image, kind, **options), image)
        for kind, options in [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})]
    ]
    same += [(_saved(grey, "PNG"), grey), (_saved(image.convert("RGBA"), "PNG"), image)]
    few = image.quantize(8)
    same.append((_saved(few, "PNG"), few))
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    same.append((_saved(deep, "PNG"), grey))
    same.append((_saved(image, "GIF"), Image.open(io.BytesIO(_saved(image, "GIF")))))
    for data, expected in same:
        found = open_image(data)
        assert found.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected.convert("RGB")))
    assert trace(vit, open_image(same[0][0])).key == trace(vit, image).key
    assert trace(vit, photo(seed=2)).key != trace(vit, image).key


def test_jpegs_are_upright_and_animations_begin(vit: LoadedModel) -> None:
    image = photo(40, 20)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    found = open_image(_saved(image, "PNG", exif=exif))
    np.testing.assert_array_equal(np.asarray(found), np.asarray(image.rotate(-90, expand=True)))
    on_its_side = Image.open(io.BytesIO(_saved(image, "PNG", exif=exif)))
    assert trace(vit, on_its_side).key == trace(vit, found).key
    red, blue = (Image.new("RGB", (20, 20), colour) for colour in ("red", "blue"))
    film = _saved(red, "GIF", save_all=True, append_images=[blue])
    assert open_image(film).getpixel((3, 3)) == (255, 0, 0)


def test_what_is_transparent_is_white() -> None:
    clear = Image.new("RGBA", (20, 20), (10, 20, 30, 0))
    assert open_image(_saved(clear, "PNG")).getpixel((0, 0)) == (255, 255, 255)
    assert plain(Image.new("LA", (4, 4), (0, 255))).getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(np.full((4, 4), 300, np.int32)), 1),
        (Image.fromarray(np.full((4, 4), 200, np.int32)), 200),
        (Image.fromarray(np.full((4, 4), 0.5, np.float32)), 128),
        (Image.fromarray(np.full((4, 4), 77.0, np.float32)), 77),
        (Image.new("CMYK", (4, 4), (0, 0, 0, 0)), 255),
        (Image.new("1", (4, 4), 1), 255),
    ],
)
def test_other_modes(image: Image.Image, expected: int) -> None:
    assert plain(image).getpixel((0, 0)) == (expected,) * 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no image that can be read.*PNG, JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no image that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image that can be read"),
        (_saved(photo(), "PNG")[:400], "damaged or incomplete"),
        (_saved(photo(), "JPEG")[:-300], "damaged or incomplete"),
        (_saved(Image.new("1", (1, 9)), "PNG"), r"1 × 9 pixels.*2 to 4096"),
        (_saved(Image.new("1", (LARGEST + 1, 600)), "PNG"), rf"{LARGEST + 1} × 600 pixels"),
        (_saved(Image.new("1", (14_000, 14_000)), "PNG"), "more pixels than are opened|14000 × 14000"),
        (_saved(Image.new("1", (210, 10)), "PNG"), "210 × 10 pixels.*20 times as long"),
    ],
)
def test_bad_files_are_named(data: bytes, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        open_image(data)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_files_that_would_fill_the_memory_are_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(InvalidInput, match="more pixels than are opened"):
        open_image(_saved(photo(), "PNG"))
