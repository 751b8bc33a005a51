"""Which models can be chosen: what is right passes, what is wrong is told in a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import open_clip
import pytest
from open_clip import pretrained
from open_clip.factory import _find_checkpoint_in_dir

from app.bundled import RESOURCES
from app.embedding import catalogue
from app.embedding.catalogue import (
    CONFIG_FILE,
    CURATED,
    RECOMMENDED,
    WEIGHTS_FILES,
    check_model,
    model_folder,
    model_title,
    weights_file,
)
from app.engine.place import EngineMissingError
from app.errors import AppError

CONFIG = {"model_cfg": {"embed_dim": 8, "vision_cfg": {}, "text_cfg": {}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like a model."""
    folder = tmp_path / "my model"
    folder.mkdir()
    (folder / CONFIG_FILE).write_text(json.dumps(CONFIG))
    (folder / WEIGHTS_FILES[0]).write_bytes(b"weights")
    return folder


def test_import_is_light() -> None:
    code = (
        "import sys, app.embedding.catalogue;"
        "print([name for name in ('torch', 'numpy', 'open_clip', 'timm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_curated_models_exist() -> None:
    known = {"/".join(pair) for pair in open_clip.list_pretrained()}
    assert {choice.spec for choice in CURATED} - {"builtin"} <= known


@pytest.mark.parametrize("choice", CURATED[:-1], ids=lambda choice: choice.spec)
def test_curated_models_are_downloaded_from_where_openclip_does(
    choice: catalogue.ModelChoice,
) -> None:
    name, tag = choice.spec.split("/")
    assert choice.hub_path == pretrained.get_pretrained_cfg(name, tag)["hf_hub"]


@pytest.mark.parametrize("choice", CURATED, ids=lambda choice: choice.spec)
def test_curated_dimensions(choice: catalogue.ModelChoice) -> None:
    if choice.spec == "builtin":
        config = json.loads((RESOURCES / "builtin-model" / CONFIG_FILE).read_text())["model_cfg"]
    else:
        config = open_clip.get_model_config(choice.spec.split("/")[0])
    assert choice.dimension == config["embed_dim"]


def test_choices_pass_the_check() -> None:
    assert RECOMMENDED in CURATED
    assert CURATED[-1].spec == "builtin"
    for choice in CURATED:
        assert check_model(choice.spec) == choice.spec
        assert model_title(choice.spec) == choice.title


@pytest.mark.parametrize(
    ("spec", "normal"),
    [
        ("builtin", "builtin"),
        (" ViT-B-32/openai ", "ViT-B-32/openai"),
        ("vit-b-32/OpenAI", "ViT-B-32/openai"),
        ("ViT-B/32/laion2b-s34b-b79k", "ViT-B-32/laion2b_s34b_b79k"),
    ],
)
def test_normal_form(spec: str, normal: str) -> None:
    assert check_model(spec) == normal


def test_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_model(str(folder)) == str(folder)
    assert model_folder(str(folder)) == folder
    assert model_title(str(folder)) == "my model"
    monkeypatch.chdir(folder.parent)
    assert check_model("my model") == check_model("./my model/") == str(folder)


def test_other_files_of_weights(folder: Path) -> None:
    """Ours is the choice that OpenCLIP makes."""
    (folder / "a.safetensors").touch()
    for name in reversed(WEIGHTS_FILES):
        (folder / name).touch()
    for name in WEIGHTS_FILES:
        assert weights_file(folder) == folder / name == Path(_find_checkpoint_in_dir(folder) or "")
        (folder / name).unlink()
    assert weights_file(folder) is None


@pytest.mark.parametrize(
    ("spec", "message", "hint"),
    [
        ("", "No model is chosen", RECOMMENDED.spec),
        ("ViT-B-33/openai", "OpenCLIP has no model ViT-B-33/openai", "ViT-B-32"),
        ("ViT-B-32", "does not say which weights", "tag"),
        ("ViT-B-32/", "does not say which weights", "tag"),
        ("???", "OpenCLIP has no model ???", RECOMMENDED.spec),
        ("/no/such/folder", "There is no folder /no/such/folder", "Choose the folder"),
    ],
)
def test_unknown(spec: str, message: str, hint: str) -> None:
    with pytest.raises(AppError) as caught:
        check_model(spec)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_incomplete_folders(folder: Path) -> None:
    weights, config = folder / WEIGHTS_FILES[0], folder / CONFIG_FILE
    with pytest.raises(AppError, match="is not a folder"):
        check_model(str(weights))
    weights.unlink()
    with pytest.raises(AppError, match="has no weights"):
        check_model(str(folder))
    for text in ("{", "[]", "{}", '{"model_cfg": []}', '{"model_cfg": {"embed_dim": 8}}'):
        config.write_text(text)
        with pytest.raises(AppError, match="does not describe an OpenCLIP model"):
            check_model(str(folder))
    config.unlink()
    with pytest.raises(AppError, match=f"has no {CONFIG_FILE}"):
        check_model(str(folder))


def test_without_the_engine_recommended_models_and_folders_can_be_chosen(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue._architectures.cache_clear()
    monkeypatch.setattr(catalogue, "require_engine", missing)
    for choice in CURATED:
        assert check_model(choice.spec) == choice.spec
    assert check_model(str(folder)) == str(folder)
    with pytest.raises(EngineMissingError):
        check_model("ViT-B-32/openai")


def missing() -> None:
    raise EngineMissingError


def test_text_models_of_another_library_are_refused(folder: Path) -> None:
    with pytest.raises(AppError, match="needs a text model") as caught:
        check_model("xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k")
    assert catalogue.RECOMMENDED_FOR_OTHERS.spec in caught.value.hint


def test_titles_of_unknown_models() -> None:
    assert model_title("ViT-B-16/openai") == "ViT-B-16 · openai"
    assert model_title("gone") == "gone"
