"""Real OpenCLIP models, tiny ones with random weights and the built-in one, on the CPU."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import open_clip
import pytest
import torch
from drawn_pictures import content, encoded, photo
from fake_time import FakeTime
from numpy.typing import NDArray
from open_clip import pretrained
from PIL import Image
from safetensors.torch import save_file
from whole_open_clip import whole_open_clip

from app.config import get_settings
from app.embedding import catalogue, loading, measurements, tuning
from app.embedding.catalogue import ModelError
from app.embedding.encoder import CONVOLUTIONAL_ROWS, Encoder
from app.embedding.loading import load_encoder
from app.embedding.measurements import Measurement
from app.errors import AppError
from app.pictures.decode import decode
from app.pictures.pixels import PixelSpec

TINY: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {
        "image_size": 32,
        "layers": 1,
        "width": 32,
        "head_width": 16,
        "patch_size": 16,
    },
    "text_cfg": {
        "context_length": 16,
        "vocab_size": 49_408,
        "width": 32,
        "heads": 2,
        "layers": 1,
    },
}
PREPROCESSING = {
    "mean": [0.3, 0.4, 0.5],
    "std": [0.2, 0.3, 0.4],
    "interpolation": "bilinear",
    "resize_mode": "longest",
    "fill_color": 9,
}


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of random weights, as OpenCLIP lays it out."""
    folder = tmp_path_factory.mktemp("models") / "Tiny Modèle"
    folder.mkdir()
    torch.manual_seed(0)
    model = open_clip.CLIP(**copy.deepcopy(TINY))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    config = {"model_cfg": TINY, "preprocess_cfg": PREPROCESSING}
    (folder / catalogue.CONFIG_FILE).write_text(json.dumps(config))
    return folder


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may damage."""
    return Path(shutil.copytree(tiny_model, tmp_path / "tiny"))


@pytest.fixture
def tiny(tiny_model: Path) -> Encoder:
    return load_encoder(str(tiny_model), "cpu", "fp32")


@pytest.fixture(scope="module")
def builtin() -> Encoder:
    return load_encoder("builtin", "cpu", "fp32")


TEXTS = ["a red circle", "two dogs", "", "more words than any model takes " * 50]


def pictures(count: int, size: int = 32) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((left * right).sum(axis=1), dtype=np.float32)


# --- what it returns ----------------------------------------------------------------------------


def test_facts(tiny: Encoder, tiny_model: Path) -> None:
    weights = (tiny_model / "open_clip_model.safetensors").read_bytes()
    assert (tiny.name, tiny.version) == ("Tiny Modèle", "local")
    assert tiny.digest == hashlib.sha256(weights).hexdigest()
    assert tiny.collection == f"tiny-mod-le-local-{tiny.digest[:12]}"
    assert (tiny.dimension, tiny.device_label, tiny.precision, tiny.notice) == (
        24,
        "cpu",
        "fp32",
        "",
    )
    assert tiny.pixels == PixelSpec(32, "longest", "bilinear", 9)


def test_vectors(tiny: Encoder) -> None:
    batch = pictures(5)
    batch.flags.writeable = False  # as an array over a file or a shared block may be
    for vectors in (tiny.encode_images(batch), tiny.encode_texts(["a", "b", "", "🙂", "x " * 99])):
        assert vectors.shape == (5, 24)
        assert vectors.dtype == np.float32
        assert vectors.flags.c_contiguous
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_nothing_in_nothing_out(tiny: Encoder) -> None:
    assert tiny.encode_images(pictures(0)).shape == (0, 24)
    assert tiny.encode_texts([]).shape == (0, 24)


@pytest.mark.early
@pytest.mark.parametrize("name", ["builtin", "tiny"])
def test_equals_open_clip(name: str, request: pytest.FixtureRequest, tiny_model: Path) -> None:
    """Same vectors as OpenCLIP's own path from a picture and from a text."""
    ours: Encoder = request.getfixturevalue(name)
    folder = catalogue.model_folder("builtin") if name == "builtin" else tiny_model
    model, _, preprocess = whole_open_clip().create_model_and_transforms(f"local-dir:{folder}")
    model.eval()
    shots = [photo(300, 200), photo(120, 260), photo(64, 64)]
    with torch.inference_mode():
        images = model.encode_image(torch.stack([preprocess(shot) for shot in shots]), True)
        tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(TEXTS)
        texts = model.encode_text(tokens, True)
    decoded = [decode(content(encoded(shot, "PNG")), "x.png", ours.pixels, 9) for shot in shots]
    batch = np.stack([picture.pixels for picture in decoded])
    assert cosines(ours.encode_images(batch), images.numpy()).min() >= 0.999
    assert cosines(ours.encode_texts(TEXTS), texts.numpy()).min() >= 0.9999
    alone = np.concatenate([ours.encode_texts([text]) for text in TEXTS])
    assert cosines(alone, texts.numpy()).min() >= 0.9999


def test_what_a_text_is_padded_with_is_not_computed(tiny: Encoder) -> None:
    lengths: list[int] = []
    tower = tiny._model.transformer
    hook = tower.register_forward_pre_hook(lambda _, given: lengths.append(given[0].shape[1]))
    try:
        tiny.encode_texts(["dog"])
        tiny.encode_texts(TEXTS)
    finally:
        hook.remove()
    assert lengths == [3, tiny._model.context_length]  # beginning, word and end


@cache
def real_sized(shape: tuple[int, int]) -> tuple[bytes, NDArray[np.float32]]:
    """A JPEG file, and what the built-in model makes of it in OpenCLIP's own way, in fp32."""
    data = encoded(photo(*shape), "JPEG", quality=88)
    folder = catalogue.model_folder("builtin")
    model, _, preprocess = whole_open_clip().create_model_and_transforms(f"local-dir:{folder}")
    model.eval()
    with torch.inference_mode():
        whole = preprocess(Image.open(BytesIO(data))).unsqueeze(0)
        return data, model.encode_image(whole, True).numpy()


@pytest.mark.early
@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("shape", [(4000, 3000), (4000, 6000)], ids=["12 megapixels", "24"])
def test_the_quick_way_equals_the_full_one_on_real_sizes(
    shape: tuple[int, int], precision: str
) -> None:
    """JPEG decoded at a reduced scale, shrunk in steps and embedded in a lower precision, against
    OpenCLIP's own way: decoded whole, resized at once, in fp32."""
    data, full = real_sized(shape)
    ours = load_encoder("builtin", "cpu", precision)
    quick = decode(content(data), "x.jpg", ours.pixels, 200).pixels
    assert cosines(ours.encode_images(quick[None]), full).min() >= 0.99


@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("spec", ["builtin", "tiny"])
def test_lower_precision_is_faithful(spec: str, precision: str, tiny_model: Path) -> None:
    spec = str(tiny_model) if spec == "tiny" else spec
    exact, lower = load_encoder(spec, "cpu", "fp32"), load_encoder(spec, "cpu", precision)
    assert lower.precision == precision
    batch = pictures(8, exact.pixels.size)
    texts = ["a red circle", "two dogs on a meadow", ""]
    assert cosines(exact.encode_images(batch), lower.encode_images(batch)).min() >= 0.99
    assert cosines(exact.encode_texts(texts), lower.encode_texts(texts)).min() >= 0.99


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_that_share_a_batch_keep_its_order(builtin: Encoder, threads: int) -> None:
    batch = pictures(3 * CONVOLUTIONAL_ROWS + 1, builtin.pixels.size)
    alone = np.concatenate([builtin.encode_images(one[None]) for one in batch])
    shared = copy.copy(builtin)
    shared.threads = threads
    np.testing.assert_allclose(shared.encode_images(batch), alone, atol=1e-4)


def test_built_in_model(builtin: Encoder) -> None:
    assert (builtin.name, builtin.version) == ("builtin", "built-in")
    assert (builtin.pixels.size, builtin.dimension) == (260, 512)


@pytest.mark.parametrize(
    ("query", "near", "far"),
    [
        ("puppy", "beagle", "sports car"),
        ("cars", "a photo of a convertible", "tabby"),
        ("a boat", "speedboat", "volcano"),
        ("kitchen", "microwave", "alp"),
        ("mountains", "alp", "grand piano"),
        ("a dog and a cat", "Egyptian cat", "airliner"),
    ],
)
def test_built_in_model_knows_what_is_a_kind_of_what(
    builtin: Encoder, query: str, near: str, far: str
) -> None:
    asked, right, wrong = builtin.encode_texts([query, near, far])
    assert asked @ right > asked @ wrong + 0.2


def test_built_in_model_puts_words_that_mean_nothing_far_from_all_it_knows(
    builtin: Encoder,
) -> None:
    known = builtin.encode_texts(["dog", "car", "boat", "mountain", "flower", "food", "church"])
    made_up = builtin.encode_texts(["blorftig", "zanquility", "vexomorph"])
    assert (made_up @ known.T).max() < 0.35


# --- choosing a precision -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bf16", "fp16", "chosen"),
    [
        (0.010, 0.010, "fp32"),
        (0.0095, 0.0092, "fp32"),  # too close a race
        (0.005, 0.0049, "bf16"),
        (0.005, 0.002, "fp16"),
    ],
)
def test_quickest_is_chosen(
    bf16: float, fp16: float, chosen: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeTime(monkeypatch, {"fp32": 0.010, "bf16": bf16, "fp16": fp16})
    assert load_encoder(str(tiny_model), "cpu").precision == chosen


def test_nothing_to_win_for_a_small_model(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeTime(monkeypatch, {"fp32": 0.0004, "bf16": 0.0001, "fp16": 0.0001})
    assert load_encoder(str(tiny_model), "cpu").precision == "fp32"


def test_quick_but_unfaithful(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeTime(monkeypatch, {"fp32": 0.010, "bf16": 0.005, "fp16": 0.001})
    in_precision = Encoder.in_precision

    def spoilt(this: Encoder, precision: str) -> Encoder:
        twin = in_precision(this, precision)
        if precision == "bf16":
            twin._model.visual.proj.data.fill_(float("nan"))
            return twin
        raise RuntimeError("not implemented for 'Half'")

    monkeypatch.setattr(Encoder, "in_precision", spoilt)
    assert load_encoder(str(tiny_model), "cpu").precision == "fp32"


def on_the_processor(this: Encoder, encode: Any, rows: torch.Tensor, _most: int) -> Any:
    """:meth:`Encoder._embed` where only the device's name is another."""
    torch_device, this.torch_device = this.torch_device, torch.device("cpu")
    try:
        with torch.inference_mode():
            return torch.nn.functional.normalize(encode(rows).float(), dim=-1).numpy()
    finally:
        this.torch_device = torch_device


def test_a_card_takes_half_precision_however_little_it_saves(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeTime(monkeypatch, {"fp32": 0.0003, "bf16": 0.0001, "fp16": 0.0001})
    on_card = load_encoder(str(tiny_model), "cpu", "fp32")
    on_card.torch_device = torch.device(
        "meta"
    )  # neither a processor nor a card; nothing is moved there
    monkeypatch.setattr(Encoder, "_embed", on_the_processor)
    chosen, _ = tuning._compare(on_card, 8, lambda: clock.now)
    assert chosen.precision == "bf16"


def test_what_was_measured_is_remembered_for_these_weights_and_this_computer(
    tiny_model: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []
    real = tuning.quickest_threads
    monkeypatch.setattr(
        tuning, "quickest_threads", lambda encoder: measured.append(encoder.name) or real(encoder)
    )
    first = load_encoder(str(tiny_model), "cpu")
    again = load_encoder(str(tiny_model), "cpu")
    assert measured == [tiny_model.name]
    assert (again.precision, again.threads) == (first.precision, first.threads)
    load_encoder(str(folder), "cpu")  # the same weights in another folder
    assert measured == [tiny_model.name]
    load_encoder(str(tiny_model), "cpu", "fp32")
    monkeypatch.setattr(tuning, "processor_name", lambda: "another")
    load_encoder(str(tiny_model), "cpu")
    assert measured == [tiny_model.name] * 3


def test_what_is_measured_on_a_busy_computer_is_not_remembered(tiny_model: Path) -> None:
    load_encoder(str(tiny_model), "cpu", busy=True)
    assert not (get_settings().data_dir / measurements.FILE_NAME).exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"key": 5}', '{"key": {"precision": "fp32"}}'])
def test_measurements_that_cannot_be_read_count_as_none(text: str) -> None:
    file = get_settings().data_dir / measurements.FILE_NAME
    file.parent.mkdir()
    file.write_text(text)
    assert measurements.recall("key") is None
    measurements.remember("key", Measurement("bf16", 2))
    assert measurements.recall("key") == Measurement("bf16", 2)


def test_the_oldest_measurements_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurements, "MOST", 2)
    for key in ("a", "b", "a", "c"):
        measurements.remember(key, Measurement("fp32", 1))
    assert [measurements.recall(key) is not None for key in "abc"] == [True, False, True]


def test_what_is_chosen_is_faithful(tiny_model: Path) -> None:
    chosen = load_encoder(str(tiny_model), "cpu")
    exact = load_encoder(str(tiny_model), "cpu", "fp32")
    assert cosines(exact.encode_images(pictures(8)), chosen.encode_images(pictures(8))).min() > 0.99


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({8: 0.10, 4: 0.18, 2: 0.35, 1: 0.70}, 8),
        ({8: 0.10, 4: 0.104, 2: 0.19, 1: 0.36}, 4),  # as quick, and less work
        ({8: 0.90, 4: 0.50, 2: 0.12, 1: 0.20}, 2),  # a container with two cores
        ({8: 0.03, 4: 0.02, 2: 0.011, 1: 0.010}, 1),  # a model too small to share
    ],
)
def test_the_number_of_threads_is_measured(
    seconds: dict[int, float], chosen: int, tiny: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def encode_images(this: Encoder, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        nonlocal now
        now += seconds[this.threads] * len(batch) / 32
        return np.empty((len(batch), 24), np.float32)

    monkeypatch.setattr(Encoder, "encode_images", encode_images)
    monkeypatch.setattr(tuning.time, "perf_counter", lambda: now)
    monkeypatch.setattr(tuning, "MOST_THREADS", 8)
    before = tiny.threads
    assert tuning.quickest_threads(tiny) == chosen
    assert tiny.threads == before


def test_each_model_computes_with_its_own_threads(tiny: Encoder, tiny_model: Path) -> None:
    counted: list[int] = []
    tiny._model.encode_image = lambda values: (
        counted.append(torch.get_num_threads()) or torch.ones(len(values), 24)
    )
    other = copy.copy(tiny)
    tiny.threads, other.threads = 1, 2
    for one in (tiny, other, tiny):
        one.encode_images(pictures(1))
    assert counted == [1, 2, 1]


# --- devices and memory -------------------------------------------------------------------------


def short_of_memory(this: Encoder, most: int, error: type[Exception], text: str) -> list[int]:
    """Make the model fail above ``most`` pictures, or at all on an accelerator for ``most`` = 0.

    Returns:
        the sizes that were tried, filled in later.
    """
    real: Callable[[torch.Tensor], torch.Tensor] = this._model.encode_image
    tried: list[int] = []

    def encode_image(values: torch.Tensor) -> torch.Tensor:
        tried.append(len(values))
        if values.device.type != "cpu" or 0 < most < len(values):
            raise error(text)
        return real(values)

    this._model.encode_image = encode_image
    return tried


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (torch.OutOfMemoryError, "CUDA out of memory. Tried to allocate 2 GiB."),
        (RuntimeError, "MPS backend out of memory"),
        (RuntimeError, "DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        (RuntimeError, "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9."),
        (MemoryError, ""),
    ],
)
def test_out_of_memory_halves_the_batch(tiny: Encoder, error: type[Exception], text: str) -> None:
    expected = tiny.encode_images(pictures(11))
    tried = short_of_memory(tiny, 3, error, text)
    np.testing.assert_allclose(tiny.encode_images(pictures(11)), expected, atol=1e-5)
    assert tried == [11, 5, 2, 2, 2, 2, 2, 1]
    assert tiny.notice == ""


def test_a_convolutional_model_takes_few_pictures_at_a_time_on_a_cpu() -> None:
    convolutional = load_encoder("builtin", "cpu", "fp32")
    shots = pictures(9, convolutional.pixels.size)
    one_by_one = [convolutional.encode_images(shot[None])[0] for shot in shots]
    tried = short_of_memory(convolutional, 0, RuntimeError, "")
    np.testing.assert_allclose(convolutional.encode_images(shots), one_by_one, atol=1e-5)
    assert tried == [4, 4, 1]


def test_out_of_memory_for_one_picture(tiny: Encoder) -> None:
    tiny._model.encode_image = lambda values: torch.empty(2**45)  # more than can be addressed
    with pytest.raises(AppError, match="not enough memory to run the model Tiny"):
        tiny.encode_images(pictures(2))


def test_other_errors_are_not_hidden(tiny: Encoder) -> None:
    short_of_memory(tiny, 1, RuntimeError, "mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="shapes"):
        tiny.encode_images(pictures(2))


def test_falls_back_to_the_cpu(tiny: Encoder, caplog: pytest.LogCaptureFixture) -> None:
    expected = tiny.encode_images(pictures(4))
    faulty = tiny.in_precision("bf16")
    tried = short_of_memory(faulty, 0, torch.OutOfMemoryError, "CUDA out of memory.")
    # torch's own device without memory stands in for a graphics card
    faulty.torch_device, faulty.device_label = torch.device("meta"), "cuda:0 Card"
    with caplog.at_level(logging.WARNING, "app"):
        vectors = faulty.encode_images(pictures(4))
    assert tried == [4, 2, 1, 4]
    assert (faulty.device_label, faulty.precision, faulty.torch_device.type) == (
        "cpu",
        "fp32",
        "cpu",
    )
    assert faulty.notice == (
        "There is not enough memory on cuda:0 Card, so the model runs on the CPU, which is slower."
    )
    assert faulty.notice in caplog.text
    assert cosines(vectors, expected).min() >= 0.99


def test_search_while_the_model_leaves_the_device(tiny: Encoder) -> None:
    """A search meanwhile waits, and then uses the model where it has gone."""
    expected = tiny.encode_texts(["a dog"])
    tiny.torch_device = torch.device("meta")
    real, running, release = tiny._model.encode_image, threading.Event(), threading.Event()

    def encode_image(values: torch.Tensor) -> torch.Tensor:
        if values.device.type == "cpu":
            return torch.as_tensor(real(values))
        running.set()
        release.wait()
        raise torch.OutOfMemoryError("CUDA out of memory.")

    tiny._model.encode_image = encode_image
    with ThreadPoolExecutor(2) as threads:
        indexing = threads.submit(tiny.encode_images, pictures(1))
        running.wait()
        search = threads.submit(tiny.encode_texts, ["a dog"])
        time.sleep(0.05)
        assert not search.done()
        release.set()
        assert indexing.result().shape == (1, 24)
        np.testing.assert_allclose(search.result(), expected, atol=1e-6)


@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is an accelerator")
@pytest.mark.parametrize("device", ["cuda", "cuda:3", "mps"])
def test_absent_device(device: str, tiny_model: Path) -> None:
    with pytest.raises(
        AppError, match=f"DEVICE is set to {device}, but PyTorch can use only cpu"
    ) as caught:
        load_encoder(str(tiny_model), device)
    assert not isinstance(caught.value, ModelError)  # another model does not help


def test_device_that_does_not_work(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``auto`` the CPU takes over; a device that was asked for is an error."""
    meta = torch.device("meta")
    monkeypatch.setattr(loading, "_find_device", lambda wanted: meta)

    def move(this: Encoder, torch_device: torch.device) -> None:
        if torch_device == meta:
            raise RuntimeError("CUDA error: no kernel image is available for execution.")
        real_move(this, torch_device)

    real_move = Encoder.move
    monkeypatch.setattr(Encoder, "move", move)
    fallen_back = load_encoder(str(tiny_model))
    assert "no kernel image is available for execution), so the model" in fallen_back.notice
    assert fallen_back.encode_images(pictures(2)).shape == (2, 24)
    with pytest.raises(
        AppError, match="cannot run on meta with precision fp16: CUDA error"
    ) as caught:
        load_encoder(str(tiny_model), "cuda", "fp16")
    assert "AFTERIMAGE_DEVICE" in caught.value.hint


# --- files that are wrong -----------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 7, 1000, -1])
def test_truncated_weights(folder: Path, length: int) -> None:
    file = folder / "open_clip_model.safetensors"
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(ModelError, match="safetensors is damaged or incomplete"):
        load_encoder(str(folder))


def test_pytorch_weights(folder: Path, tiny: Encoder) -> None:
    """The older format works as well; its damage is told too."""
    (folder / "open_clip_model.safetensors").unlink()
    file = folder / "open_clip_pytorch_model.bin"
    torch.save(tiny._model.state_dict(), file)
    older = load_encoder(str(folder))
    assert older.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    np.testing.assert_allclose(older.encode_texts(["a"]), tiny.encode_texts(["a"]), atol=0.02)
    for damaged in (file.read_bytes()[:-1000], b"", b"no weights"):
        file.write_bytes(damaged)
        with pytest.raises(AppError, match="is damaged or incomplete"):
            load_encoder(str(folder))


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("vision_cfg", {"width": 64}),
        ("vision_cfg", {"layers": 2}),
        ("vision_cfg", {"layers": [1, 1, 1, 1]}),
        ("text_cfg", {"width": 64}),
    ],
)
def test_weights_of_another_model(folder: Path, part: str, changes: dict[str, object]) -> None:
    config = {**TINY, part: {**TINY[part], **changes}}
    (folder / catalogue.CONFIG_FILE).write_text(json.dumps({"model_cfg": config}))
    with pytest.raises(ModelError, match="belong to a model other than tiny"):
        load_encoder(str(folder))


def test_configuration_that_makes_no_sense(folder: Path) -> None:
    config = {**TINY, "vision_cfg": {"no_such_option": 1}}
    (folder / catalogue.CONFIG_FILE).write_text(json.dumps({"model_cfg": config}))
    with pytest.raises(ModelError, match=r"The model tiny cannot be built: .*no_such_option"):
        load_encoder(str(folder))


def test_tokenizer_that_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_tokenizer(name: str) -> None:
        raise OSError(f"Can't load the tokenizer for {name}")

    monkeypatch.setattr(open_clip, "get_tokenizer", no_tokenizer)
    with pytest.raises(ModelError, match="The tokenizer of the model tiny is missing or damaged"):
        load_encoder(str(folder))


def test_not_enough_memory_to_load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(name: str, **options: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes.")

    monkeypatch.setattr(open_clip, "create_model", no_memory)
    with pytest.raises(ModelError, match="not enough memory to load the model tiny"):
        load_encoder(str(folder))


# --- models that are downloaded -----------------------------------------------------------------


def test_unknown_tag() -> None:
    with pytest.raises(ModelError, match="has no weights called laion2b_s34b_b80k") as caught:
        load_encoder("ViT-B-32/laion2b_s34b_b80k")
    assert "laion2b_s34b_b79k" in caught.value.hint
    with pytest.raises(ModelError, match="OpenCLIP has no weights for the model ViT-S-16"):
        load_encoder("ViT-S-16/openai")


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of downloads."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.timeout(30)
def test_no_network(hub_cache: Path) -> None:
    with pytest.raises(AppError) as caught:
        load_encoder("ViT-B-32/laion2b_s34b_b79k")
    assert "ViT-B-32/laion2b_s34b_b79k could not be downloaded" in caught.value.message
    assert "HF_HUB_OFFLINE" in caught.value.message


def test_downloaded_before(
    tiny_model: Path, hub_cache: Path, tiny: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights in the cache are loaded without a word to the network, and as their tag says."""
    config = tiny_model / catalogue.CONFIG_FILE
    tag = PREPROCESSING | {"hf_hub": "someone/tiny/", "quick_gelu": True}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", copy.deepcopy(TINY))
    monkeypatch.setitem(pretrained._PRETRAINED, "tiny", {"v1": tag})
    monkeypatch.setattr(catalogue, "_architectures", lambda: {"tiny": config})
    monkeypatch.setattr(catalogue, "_check_packages", lambda name, config: None)
    repository = hub_cache / "models--someone--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("c0ffee")
    shutil.copytree(tiny_model, repository / "snapshots" / "c0ffee")
    loaded = load_encoder("tiny/v1", "cpu", "fp32")
    assert (loaded.name, loaded.version, loaded.digest) == ("tiny", "v1", tiny.digest)
    assert loaded.collection == f"tiny-v1-{tiny.digest[:12]}"
    assert loaded.pixels == PixelSpec(32, "longest", "bilinear", 0)
    assert isinstance(
        loaded._model.visual.transformer.resblocks[0].mlp.gelu, open_clip.model.QuickGELU
    )


def test_every_tag_has_a_place_on_the_hub() -> None:
    for name, tag in open_clip.list_pretrained():
        assert pretrained.get_pretrained_cfg(name, tag)["hf_hub"].count("/") == 2
