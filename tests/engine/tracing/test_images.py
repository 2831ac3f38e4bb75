"""Vision transformers: exact weights, proved grids, pictures that show what the model sees, and refusals."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from oracles import eager
from PIL import Image
from tiny import TEXT, make_folder
from tiny_vision import IMAGE_ARCHITECTURES, image_processor, photo

from dashboard.commands import measurements, weights_file
from dashboard.engine import (
    HEAD_SCORES,
    EngineError,
    LoadedModel,
    Trace,
    generate,
    head_importance,
    head_similarity,
    induction_probe,
    load_model,
    name_patterns,
    trace,
)
from dashboard.engine.attention.verification import NotVerified, _slope, verify_eager
from dashboard.engine.errors import InvalidInput, Unsupported
from dashboard.engine.inputs.images import LARGEST, open_image, plain
from dashboard.engine.inputs.sentences import join_sentences
from dashboard.engine.inputs.tokens import join_words
from dashboard.engine.models import loading
from dashboard.engine.tracing.preflight import preflight_trace

N_BEFORE = {
    **dict.fromkeys(["deit for classes", "deit with teacher"], 2),
    "dinov2 with registers": 5,
    "dinov3 (rotary)": 3,
    **dict.fromkeys(["siglip (vision)", "siglip (both)", "ijepa for classes"], 0),
}


def opened(name: str, folder: Path, device: str = "cpu") -> LoadedModel:
    return load_model(str(make_folder(name, folder)), device=device, dtype="float32")


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory, device: str) -> LoadedModel:
    return opened("vit for classes", tmp_path_factory.mktemp("vit"), device)


@pytest.mark.parametrize("name", IMAGE_ARCHITECTURES)
def test_weights_are_those_of_the_eager_model(name: str, tmp_path: Path, device: str) -> None:
    model = opened(name, tmp_path, device)
    found = trace(model, photo())
    assert model.captures == ("eager" not in name)
    twin = type(model.network).from_pretrained(tmp_path, attn_implementation="eager").to(device).eval()
    expected = eager.attentions(twin, found.encoded.inputs)
    (site,) = found.sites
    assert expected.shape[:2] == (site.n_layers, site.n_heads) == (3, 4)
    for layer, weights in enumerate(expected):
        np.testing.assert_allclose(found.attention(layer), weights, atol=1e-5)
    with torch.no_grad():
        outputs = twin(**found.encoded.inputs)
    if model.task.kind == "image class":
        logits = outputs.logits[0].float().cpu()
        np.testing.assert_allclose(found.logits.cpu(), logits, atol=1e-4)
        assert found.prediction.choices[0].id == int(logits.argmax())
        assert found.prediction.choices[0].label.text == f"LABEL_{int(logits.argmax())}"
    else:
        n_before, (choice,) = N_BEFORE.get(name, 1), found.prediction.choices
        mean = outputs.last_hidden_state[0, n_before:].float().mean(0)
        assert choice.logit == pytest.approx(float(mean.norm()), rel=1e-4)
        assert choice.label.text == "image embedding"


@pytest.mark.parametrize("name", IMAGE_ARCHITECTURES)
def test_tokens_are_named_patches(name: str, tmp_path: Path) -> None:
    found = trace(opened(name, tmp_path), photo())
    n_before = N_BEFORE.get(name, 1)
    assert len(found.tokens) == n_before + 16
    texts = [token.text for token in found.tokens]
    assert texts[n_before : n_before + 5] == ["r0 c0", "r0 c1", "r0 c2", "r0 c3", "r1 c0"]
    assert [token.special for token in found.tokens] == [True] * n_before + [False] * 16
    assert texts[:n_before] == (["[CLS]", "[DIST]"] if "deit" in name else ["[CLS]", *_registers()])[:n_before]
    shown = found.picture
    assert shown is not None
    assert shown.token(1, 2) == n_before + 6
    assert shown.place(n_before + 6) == (1, 2)
    assert shown.place(n_before - 1) is None
    assert shown.place(n_before + 16) is None
    assert shown.on_grid(np.arange(len(texts), dtype=np.float32))[1, 2] == n_before + 6
    with pytest.raises(InvalidInput, match=r"no patch in row 4.*0 to 3"):
        shown.token(4, 0)


def _registers() -> list[str]:
    return [f"[REG {i}]" for i in range(1, 5)]


def test_a_patch_of_the_picture_is_what_its_token_reads(vit: LoadedModel) -> None:
    """The token of a patch, by hand: the convolution's weights times the pixels that the picture shows there."""
    found = trace(vit, photo())
    shown, network = found.picture, vit.network.vit
    assert shown is not None
    row, column = 2, 1
    projection = network.embeddings.patch_embeddings.projection
    pixels = shown.pixels[row * 8 : (row + 1) * 8, column * 8 : (column + 1) * 8].astype(np.float32) / 255
    given = torch.from_numpy((pixels - 0.5) / 0.5).permute(2, 0, 1)
    token = shown.token(row, column)
    with torch.no_grad():
        expected = (projection.weight * given.to(vit.device)).sum((1, 2, 3)) + projection.bias
        expected += network.embeddings.position_embeddings[0, token]
        own = network.embeddings(found.encoded.inputs["pixel_values"])[0, token]
    torch.testing.assert_close(own, expected, atol=2e-2, rtol=1e-2)


PROCESSORS = ["vit for classes", "clip (vision)", "siglip (vision)", "dinov2", "beit for classes"]


@pytest.mark.parametrize("size", [(60, 50), (50, 60), (400, 30), (9, 120), (2, 2), (33, 31)])
@pytest.mark.parametrize("name", PROCESSORS)
def test_the_picture_is_the_region_that_the_model_sees(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    """By hand: what Pillow makes of the image, scaled to a square, or by its shorter side and cut in the middle."""
    found = trace(opened(name, tmp_path), image := photo(*size))
    processor = image_processor(name)
    if getattr(processor, "do_center_crop", False):
        width, height = (max(32, int(32 * side / min(size))) for side in size)
        scaled = image.resize((width, height), Image.Resampling(int(processor.resample)))
        left, top = (width - 32) // 2, (height - 32) // 2
        expected = scaled.crop((left, top, left + 32, top + 32))
    else:
        expected = image.resize((32, 32), Image.Resampling(int(processor.resample)))
    assert found.picture is not None
    assert np.abs(found.picture.pixels.astype(int) - np.asarray(expected).astype(int)).max() <= 1


def test_what_belongs_to_no_patch_is_not_shown(tmp_path: Path) -> None:
    folder = make_folder("dinov2", tmp_path)
    processor = image_processor("vit")
    processor.size = {"height": 45, "width": 38}
    processor.save_pretrained(folder)
    model = load_model(str(folder), device="cpu")
    found = trace(model, photo())
    assert found.picture is not None
    assert (found.picture.rows, found.picture.columns) == (5, 4)
    assert found.picture.pixels.shape == (40, 32, 3)
    whole = photo().resize((38, 45), Image.Resampling(int(processor.resample)))
    assert np.abs(found.picture.pixels.astype(int) - np.asarray(whole).astype(int)[:40, :32]).max() <= 1
    changed = found.encoded.inputs["pixel_values"].clone()
    changed[..., 40:, :] += 9
    changed[..., 32:] += 9
    with torch.no_grad():
        states = [
            model.network(pixel_values=p).last_hidden_state for p in (found.encoded.inputs["pixel_values"], changed)
        ]
    assert torch.equal(*states)


def test_images_of_other_shapes_have_other_grids(tmp_path: Path) -> None:
    """A processor that keeps the shape, and a network that interpolates its positions."""
    folder = make_folder("dinov2", tmp_path)
    processor = image_processor("dinov2")
    processor.do_center_crop = False
    processor.save_pretrained(folder)
    model = load_model(str(folder), device="cpu")
    twin = eager.load(folder, model.task.auto_class)
    for size, shape in [((50, 50), (4, 4)), ((100, 50), (4, 8)), ((50, 75), (6, 4))]:
        found = trace(model, photo(*size))
        assert found.picture is not None
        assert (found.picture.rows, found.picture.columns) == shape
        assert len(found.tokens) == shape[0] * shape[1] + 1
        np.testing.assert_allclose(found.attention(1), eager.attentions(twin, found.encoded.inputs)[1], atol=1e-5)


def test_shades_of_grey(tmp_path: Path) -> None:
    model = opened("vit for digits (grey)", tmp_path)
    found = trace(model, photo())
    assert found.encoded.inputs["pixel_values"].shape == (1, 1, 8, 8)
    expected = np.asarray(photo().convert("L").resize((8, 8), Image.Resampling.BILINEAR)).astype(int)
    assert found.picture is not None
    assert np.abs(found.picture.pixels.astype(int) - expected[..., None]).max() <= 1


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


def test_the_wrong_kind_of_input_is_named(vit: LoadedModel, minilm: LoadedModel) -> None:
    with pytest.raises(InvalidInput, match="reads images, not texts"):
        trace(vit, TEXT)
    with pytest.raises(InvalidInput, match="reads images, not texts"):
        trace(vit, (TEXT, TEXT))
    with pytest.raises(InvalidInput, match="reads texts, not images"):
        trace(minilm, photo())
    with pytest.raises(InvalidInput, match="cannot be continued"):
        trace(vit, photo(), continued=[1])
    with pytest.raises(InvalidInput, match="writes no target"):
        trace(vit, photo(), target="x")
    with pytest.raises(InvalidInput, match="no other token can be chosen"):
        trace(vit, photo(), at=3)
    with pytest.raises(InvalidInput, match=r"1 × 9 pixels.*2 to 4096 pixels a side"):
        trace(vit, photo(1, 9))


@pytest.mark.parametrize(("name", "whole"), [("clip (both)", "CLIPModel"), ("siglip (both)", "SiglipModel")])
def test_the_part_that_sees_is_that_of_the_whole_model(name: str, whole: str, tmp_path: Path) -> None:
    model = opened(name, tmp_path)
    found = trace(model, photo())
    twin = getattr(transformers, whole).from_pretrained(tmp_path, attn_implementation="eager").eval().vision_model
    weights = eager.attentions(twin, found.encoded.inputs)
    for layer in range(3):
        np.testing.assert_allclose(found.attention(layer), weights[layer], atol=1e-5)


REFUSED = {
    "swin (windows)": "windows",
    "resnet (convolutions)": "does not cut images into patches",
    "convnext (convolutions)": "not the patches of one grid",
    "pvt (a pyramid)": "does not cut images into patches",
    "segformer (a pyramid)": "does not cut images into patches",
    "imagegpt (pixels)": "does not cut images into patches",
    "vit_mae (random patches)": "not the patches of one grid",
    "videomae (films)": "does not take the images",
    "siglip2 (any size)": "does not take the images.*not one rectangle of pixels",
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_models_of_images_are_refused_by_their_name(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "the-model"
    folder.mkdir()
    with pytest.raises(Unsupported, match=REFUSED[name]) as caught:
        opened(name, folder)
    assert "the-model" in str(caught.value)
    assert "Choose" in caught.value.remedy or "choose" in caught.value.remedy


def test_a_processor_for_another_size_is_named(tmp_path: Path) -> None:
    folder = make_folder("vit for classes", tmp_path)
    processor = image_processor("vit for classes")
    processor.size = {"height": 48, "width": 48}
    processor.save_pretrained(folder)
    with pytest.raises(Unsupported, match=r"does not take the images.*48\*48.*preprocessor_config"):
        load_model(str(folder), device="cpu")


def test_colours_that_cannot_be_undone_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder("vit for classes", tmp_path)
    own = loading.read_processor

    def flipped(title: str, folder: Path) -> Any:
        processor = own(title, folder)
        original = type(processor).__call__
        monkeypatch.setattr(
            type(processor),
            "__call__",
            lambda self, image, **rest: original(self, Image.merge("RGB", image.split()[::-1]), **rest),
        )
        return processor

    monkeypatch.setattr(loading, "read_processor", flipped)
    with pytest.raises(Unsupported, match="does to colours cannot be undone"):
        load_model(str(folder), device="cpu")


def _transposed(tokens: torch.Tensor) -> torch.Tensor:
    return torch.cat([tokens[:, :1], tokens[:, 1:].unflatten(1, (4, 4)).transpose(1, 2).flatten(1, 2)], 1)


def _shuffled(tokens: torch.Tensor) -> torch.Tensor:
    order = [0, 1, 3, 2, *range(4, 17)]
    return tokens[:, order]


def _mixed(tokens: torch.Tensor) -> torch.Tensor:
    return tokens + tokens.roll(1, 1)


def _class_last(tokens: torch.Tensor) -> torch.Tensor:
    return tokens.roll(-1, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_transposed, "not the patches row by row"),
        (_shuffled, "not the patches row by row"),
        (_mixed, "not the patches of one grid"),
        (_class_last, None),
    ],
)
def test_another_order_of_tokens_is_noticed(
    change: Callable[[torch.Tensor], torch.Tensor], message: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, own = make_folder("vit", tmp_path), loading.read_weights

    def changed(*args: Any) -> Any:
        network = own(*args)
        network.embeddings.register_forward_hook(lambda module, given, result: change(result))
        return network

    monkeypatch.setattr(loading, "read_weights", changed)
    if message is None:
        model = load_model(str(folder), device="cpu")
        assert model.vision is not None
        assert (model.vision.grid.n_before, model.vision.grid.n_after) == (0, 1)
        assert [token.special for token in trace(model, photo()).tokens] == [False] * 16 + [True]
        return
    with pytest.raises(Unsupported, match=message):
        load_model(str(folder), device="cpu")


def test_an_image_that_is_seen_past_the_tokens_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, own = make_folder("vit", tmp_path), loading.read_weights

    def changed(*args: Any) -> Any:
        network = own(*args)

        def add(module: Any, args: Any, kwargs: Any, result: Any) -> Any:
            result.last_hidden_state = result.last_hidden_state + kwargs["pixel_values"][..., :10].mean()
            return result

        network.register_forward_hook(add, with_kwargs=True)
        return network

    monkeypatch.setattr(loading, "read_weights", changed)
    with pytest.raises(Unsupported, match="not the patches of one grid"):
        load_model(str(folder), device="cpu")


def test_attention_that_is_not_used_is_noticed_by_its_slope(tmp_path: Path) -> None:
    model = opened("data2vec (read by eager)", tmp_path)
    probe = model.probe()
    assert _slope(model.network, probe) > 1e-6
    assert model.verification.output_shift == pytest.approx(_slope(model.network, probe))

    class Copies(torch.nn.Module):
        def __init__(self, copied: Callable[[torch.Tensor], torch.Tensor]) -> None:
            super().__init__()
            self.copied = copied

        def forward(self, **inputs: Any) -> Any:
            outputs = model.network(**inputs)
            outputs.attentions = tuple(self.copied(weights) for weights in outputs.attentions)
            return outputs

    with pytest.raises(NotVerified, match="do not depend on the attention"):
        verify_eager(Copies(lambda weights: weights * 1), probe, causal=False)
    with pytest.raises(NotVerified, match="is a copy"):
        verify_eager(Copies(lambda weights: weights.detach().clone()), probe, causal=False)


@pytest.fixture(scope="module")
def found(vit: LoadedModel) -> Trace:
    return trace(vit, photo())


def test_every_view_works_on_images(found: Trace) -> None:
    assert found.heat_map(0, 0).values.shape == (17, 17)
    assert found.heat_map(0, 0, words=True, over="mean", hide="special").values.size
    assert found.thumbnails().shape[:2] == (3, 4)
    scores = found.all_head_scores()
    for name, values in scores.items():
        assert np.isnan(values).all() if HEAD_SCORES[name].along else np.isfinite(values).all()
    assert found.reading_head(0)[0] in range(3)
    assert len(join_words(found.tokens, found.text)) == 17
    assert len(join_sentences(found.tokens, found.text)) >= 1
    assert head_importance(found).shape == (3, 4)
    assert head_similarity(found).distance.shape == (12, 12)
    assert name_patterns(scores).shape == (3, 4)
    for kind in ("csv", "json", "npz"):
        assert weights_file.encoded(found, 0, 0, kind)


def test_what_needs_a_text_says_so(vit: LoadedModel, found: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    for ask in (lambda: generate(vit, TEXT, 3), lambda: induction_probe(vit)):
        with pytest.raises(EngineError, match=r"Choose a decoder"):
            ask()
    monkeypatch.setattr(bench, "load_model", lambda *args, **kwargs: vit)
    with pytest.raises(Unsupported, match="does not read one text"):
        measurements._measure_fresh("vit", 64, None, None)


@pytest.mark.parametrize("name", ["vit for classes", "clip (both)", "dinov2", "data2vec (read by eager)"])
def test_what_a_trace_takes_is_known_before(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened(name, tmp_path)
    needs = preflight_trace(model, 17)
    assert needs.fits
    assert needs.peak_bytes > 0
    monkeypatch.setattr("dashboard.engine.hardware.devices.free_memory", lambda device: 10)
    with pytest.raises(EngineError, match="Free memory and try again") as caught:
        trace(model, photo())
    assert "Shorten" not in str(caught.value)
