"""Towers in int8: what they compute, when they are taken, and that old vectors stay right."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from fake_time import FakeTime
from numpy.typing import NDArray
from safetensors.torch import save_file

from app.config import get_settings
from app.embedding import catalogue, measurements, trial, tuning
from app.embedding.encoder import Encoder
from app.embedding.int8 import Int8Linear, in_int8
from app.embedding.loading import load_encoder

TRANSFORMER: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {
        "image_size": 32,
        "layers": 4,
        "width": 64,
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
QUICK_IN_INT8 = {"fp32": 0.010, "bf16": 0.006, "fp16": 0.010, "int8": 0.004}
SLOW_IN_HALVES = {"fp32": 0.010, "bf16": 0.011, "fp16": 0.011, "int8": 0.011}
OUTLIERS = 20
"""Times as large as the others are some channels of a model that int8 is too coarse for."""


def _save(folder: Path, outliers: bool = False) -> Path:
    folder.mkdir()
    torch.manual_seed(0)
    model = open_clip.CLIP(**copy.deepcopy(TRANSFORMER))
    if outliers:
        for block in model.visual.transformer.resblocks:
            block.mlp.c_fc.weight.data[:, :4] *= OUTLIERS
            block.attn.in_proj_weight.data[:, :4] *= OUTLIERS
        for block in model.transformer.resblocks:
            block.ln_2.weight.data[0] *= OUTLIERS**2  # so that all else is rounded to nothing
            block.mlp.c_fc.weight.data[:, 0] = 0
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    config = {"model_cfg": TRANSFORMER, "preprocess_cfg": {}}
    (folder / catalogue.CONFIG_FILE).write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(_save(tmp_path_factory.mktemp("models") / "transformer"))


@pytest.fixture(scope="session")
def coarse(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(_save(tmp_path_factory.mktemp("models") / "outliers", outliers=True))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Int8 is quicker here than any other precision."""
    FakeTime(monkeypatch, QUICK_IN_INT8)


def pictures(count: int) -> NDArray[np.uint8]:
    """Coloured squares, no two pictures alike."""
    cells = np.random.default_rng(1).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return cells.repeat(8, axis=1).repeat(8, axis=2)


def use(encoder: Encoder, count: int = trial.ENOUGH) -> NDArray[np.float32]:
    """Embed as a session does."""
    some = pictures(count)
    return np.concatenate([encoder.encode_images(some[i : i + 32]) for i in range(0, count, 32)])


def worst(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    return float((left * right).sum(axis=1).min())


def kept() -> list[str]:
    """What is remembered of int8, of each model."""
    file = get_settings().data_dir / measurements.FILE_NAME
    return [known["int8"] for known in json.loads(file.read_text()).values()]


# --- what it computes ---------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_is_close_to_the_one_in_floats(bias: bool) -> None:
    layer = torch.nn.Linear(48, 20, bias)
    values = torch.randn(2, 3, 48)
    values[0, 1] = 0  # nothing to find a scale by
    with torch.inference_mode():
        expected, found = layer(values), Int8Linear(layer.weight, layer.bias)(values)
    assert found.shape == expected.shape
    assert torch.nn.functional.cosine_similarity(found.flatten(), expected.flatten(), 0) > 0.999
    torch.testing.assert_close(found[0, 1], expected[0, 1])


def test_an_embedding_is_close_to_the_one_in_fp32_and_text_is_the_same(model: str) -> None:
    exact = load_encoder(model, "cpu", "fp32")
    int8 = exact.in_precision("int8")
    assert (exact.precision, int8.precision) == ("fp32", "int8")
    assert worst(exact.encode_images(pictures(16)), int8.encode_images(pictures(16))) > 0.99
    np.testing.assert_array_equal(exact.encode_texts(["a dog"]), int8.encode_texts(["a dog"]))


def test_an_embedding_does_not_depend_on_the_pictures_beside_it(model: str) -> None:
    int8 = load_encoder(model, "cpu", "fp32").in_precision("int8")
    together = int8.encode_images(pictures(8))
    alone = np.concatenate([int8.encode_images(one[None]) for one in pictures(8)])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_it_is_smaller(model: str) -> None:
    def size(tower: torch.nn.Module) -> int:
        return sum(part.nbytes for part in tower.state_dict().values())

    exact = load_encoder(model, "cpu", "fp32")
    assert size(exact.in_precision("int8").image_tower) < 0.6 * size(exact.image_tower)


def test_a_tower_of_convolutions_is_not_made_for_it() -> None:
    with pytest.raises(RuntimeError, match="convolutions"):
        load_encoder("builtin", "cpu", "fp32").in_precision("int8")


# --- when it is taken ---------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
def test_it_is_taken_once_enough_pictures_agree_and_at_once_the_next_time(model: str) -> None:
    encoder = load_encoder(model, "cpu")
    assert encoder.precision == "bf16"
    use(encoder)
    assert kept() == [measurements.TAKEN]
    assert encoder.precision == "bf16"  # which is true for all that was returned
    encoder.encode_images(pictures(1))
    assert encoder.precision == "int8"
    assert load_encoder(model, "cpu").precision == "int8"


@pytest.mark.usefixtures("quick")
def test_vectors_of_before_stay_comparable(model: str) -> None:
    """Those that a collection has, in whatever precision, and those that are added later."""
    stored = {
        precision: use(load_encoder(model, "cpu", precision)) for precision in ("fp32", "bf16")
    }
    encoder = load_encoder(model, "cpu")
    use(encoder)
    added = use(encoder)
    assert encoder.precision == "int8"
    for before in stored.values():
        assert worst(before, added) >= 0.99
        assert trial.agreement(before, added) >= 0.95


@pytest.mark.usefixtures("quick")
def test_a_model_with_outliers_keeps_its_precision_and_is_not_tried_again(coarse: str) -> None:
    encoder = load_encoder(coarse, "cpu")
    assert kept() == [measurements.UNTRIED]
    use(encoder)
    encoder.encode_images(pictures(1))
    assert kept() == [""]
    assert encoder.precision == "bf16"
    assert load_encoder(coarse, "cpu").precision == "bf16"


@pytest.mark.usefixtures("quick")
def test_a_trial_goes_on_after_a_restart(model: str) -> None:
    use(load_encoder(model, "cpu"), trial.ENOUGH // 2)
    assert kept() == [measurements.UNTRIED]
    encoder = load_encoder(model, "cpu")
    use(encoder)
    assert kept() == [measurements.TAKEN]


@pytest.mark.usefixtures("quick")
def test_the_same_picture_again_tells_nothing(model: str) -> None:
    encoder = load_encoder(model, "cpu")
    for _ in range(trial.ENOUGH):
        encoder.encode_images(pictures(1).repeat(trial.FEWEST, axis=0))
    assert kept() == [measurements.UNTRIED]


@pytest.mark.usefixtures("quick")
def test_a_few_pictures_do_not_wait_for_a_trial(model: str) -> None:
    encoder = load_encoder(model, "cpu")
    for start in range(0, trial.ENOUGH, trial.FEWEST - 1):
        encoder.encode_images(pictures(trial.ENOUGH)[start : start + trial.FEWEST - 1])
    assert kept() == [measurements.UNTRIED]


@pytest.mark.usefixtures("quick")
def test_measuring_the_speed_is_no_trial(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_SPEED_SECONDS", 0.1)
    monkeypatch.setattr(trial, "ENOUGH", 2)
    tuning.pictures_per_second(load_encoder(model, "cpu"))
    assert kept() == [measurements.UNTRIED]


@pytest.mark.usefixtures("quick")
def test_nothing_is_tried_on_a_busy_computer(model: str) -> None:
    encoder = load_encoder(model, "cpu", busy=True)
    use(encoder)
    encoder.encode_images(pictures(1))
    assert encoder.precision == "bf16"


def test_it_is_not_tried_where_it_is_no_quicker(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeTime(monkeypatch, QUICK_IN_INT8 | {"int8": 0.0058})
    load_encoder(model, "cpu")
    assert kept() == [""]


@pytest.mark.usefixtures("quick")
def test_a_trial_that_runs_out_of_memory_is_over(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(model, "cpu")
    monkeypatch.setattr(Int8Linear, "forward", lambda this, values: torch.empty(1 << 60))
    assert use(encoder).shape == (trial.ENOUGH, 24)
    assert kept() == [""]


# --- texts --------------------------------------------------------------------------------------


def texts(count: int = 24) -> list[str]:
    return [f"{number} {thing}" for number in range(count // 4) for thing in ("a", "bb", "c d", "")]


@pytest.fixture(scope="session")
def models(model: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of both of OpenCLIP's kinds: the text tower's parts in the model, and in a part of it."""
    folder = tmp_path_factory.mktemp("models") / "custom"
    folder.mkdir()
    config = copy.deepcopy(TRANSFORMER) | {"custom_text": True}
    torch.manual_seed(0)
    custom = open_clip.CustomTextCLIP(**copy.deepcopy(TRANSFORMER))
    save_file(custom.state_dict(), folder / "open_clip_model.safetensors")
    told = json.dumps({"model_cfg": config, "preprocess_cfg": {}})
    (folder / catalogue.CONFIG_FILE).write_text(told)
    return {"CLIP": model, "CustomTextCLIP": str(folder)}


@pytest.mark.parametrize("kind", ["CLIP", "CustomTextCLIP"])
def test_a_text_in_int8_is_close_to_the_one_in_fp32_and_pictures_are_the_same(
    kind: str, models: dict[str, str]
) -> None:
    exact = load_encoder(models[kind], "cpu", "fp32")
    int8 = exact.with_text_tower(in_int8(exact.text_tower))
    assert type(exact._model).__name__ == kind
    assert (exact.texts_in_int8, int8.texts_in_int8, int8.precision) == (False, True, "fp32")
    assert worst(exact.encode_texts(texts()), int8.encode_texts(texts())) > 0.99
    assert not np.array_equal(exact.encode_texts(texts()), int8.encode_texts(texts()))
    np.testing.assert_array_equal(exact.encode_images(pictures(2)), int8.encode_images(pictures(2)))


def test_a_text_in_int8_does_not_depend_on_those_beside_it(model: str) -> None:
    exact = load_encoder(model, "cpu", "fp32")
    int8 = exact.with_text_tower(in_int8(exact.text_tower))
    alone = np.concatenate([int8.encode_texts([text]) for text in texts()])
    np.testing.assert_allclose(int8.encode_texts(texts()), alone, atol=1e-5)


def test_texts_are_in_int8_where_that_is_quicker_also_the_next_time(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeTime(monkeypatch, SLOW_IN_HALVES, in_int8=0.4)
    encoder = load_encoder(model, "cpu")
    assert (encoder.precision, encoder.texts_in_int8) == ("fp32", True)
    monkeypatch.setattr(tuning, "quickest_faithful", None)
    again = load_encoder(model, "cpu")
    assert again.texts_in_int8
    np.testing.assert_array_equal(again.encode_texts(texts()), encoder.encode_texts(texts()))


def test_texts_stay_in_int8_when_pictures_get_there(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeTime(monkeypatch, SLOW_IN_HALVES | {"int8": 0.004}, in_int8=0.4)
    encoder = load_encoder(model, "cpu")
    before = encoder.encode_texts(texts())
    use(encoder)
    encoder.encode_images(pictures(1))
    assert (encoder.precision, encoder.texts_in_int8) == ("int8", True)
    again = load_encoder(model, "cpu")
    assert (again.precision, again.texts_in_int8) == ("int8", True)
    np.testing.assert_array_equal(again.encode_texts(texts()), before)


def test_texts_stay_as_they_are_where_int8_is_hardly_quicker(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeTime(monkeypatch, SLOW_IN_HALVES, in_int8=0.92)
    assert not load_encoder(model, "cpu").texts_in_int8


def test_texts_are_in_int8_where_pictures_have_half_precision_too(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeTime(monkeypatch, QUICK_IN_INT8, in_int8=0.4)
    exact = load_encoder(model, "cpu", "fp32").encode_texts(texts())
    for _ in range(2):  # measured, and remembered
        encoder = load_encoder(model, "cpu")
        assert (encoder.precision, encoder.texts_in_int8) == ("bf16", True)
        assert worst(exact, encoder.encode_texts(texts())) > 0.99


def test_an_encoder_for_searches_keeps_its_texts_in_int8_in_a_session(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeTime(monkeypatch, SLOW_IN_HALVES, in_int8=0.4)
    for _ in range(2):  # measured, and remembered
        for_searches = load_encoder(model, "cpu", busy=True)
        encoder = tuning.tuned(for_searches, for_searches.precision, busy=False)
        assert (encoder.precision, encoder.texts_in_int8) == ("fp32", True)
    assert not load_encoder(model, "cpu", "fp32").texts_in_int8  # a person's choice


def test_texts_that_int8_is_too_coarse_for_stay_as_they_are(
    coarse: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeTime(monkeypatch, SLOW_IN_HALVES, in_int8=0.4)
    assert not load_encoder(coarse, "cpu").texts_in_int8


# --- when rankings agree ------------------------------------------------------------------------


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_agreement_is_the_share_of_the_nearest_that_stay() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(100, 16))
    assert trial.agreement(_unit(rows), _unit(rows)) == 1
    assert trial.agreement(_unit(rows), _unit(rows + 0.01 * rng.normal(size=rows.shape))) > 0.95
    by_chance = trial.agreement(_unit(rows), _unit(rng.normal(size=rows.shape)))
    assert by_chance == pytest.approx(trial.NEAREST / 99, abs=0.05)


def test_pictures_of_one_moment_may_change_places() -> None:
    rng = np.random.default_rng(0)
    moments = rng.normal(size=(5, 16)).repeat(20, axis=0)
    rows, others = (moments + 0.01 * rng.normal(size=moments.shape) for _ in range(2))
    assert trial.agreement(_unit(rows), _unit(others)) == 1
