"""Tokenizers that come from the hub are fetched with the weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import open_clip
import pytest
import torch
from huggingface_hub import constants, try_to_load_from_cache
from local_hub import LocalHub, local_hub
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from app.embedding.catalogue import CONFIG_FILE, RECOMMENDED, RECOMMENDED_FOR_OTHERS
from app.embedding.download import download
from app.embedding.loading import load_encoder
from app.embedding.tokenizers import fetch_tokenizer
from app.embedding.weights import downloaded
from app.errors import AppError

SPEC = RECOMMENDED_FOR_OTHERS.spec
REPOSITORY = "timm/ViT-B-32-SigLIP2-256"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with local_hub(monkeypatch) as hub:
        hub.files[f"{REPOSITORY}/open_clip_model.safetensors"] = b"weights"
        hub.files[f"{REPOSITORY}/tokenizer_config.json"] = b"{}"
        hub.files[f"{REPOSITORY}/tokenizer.json"] = b"{}"
        yield hub


def test_it_comes_with_the_weights_and_once(hub: LocalHub) -> None:
    assert download(SPEC, RECOMMENDED_FOR_OTHERS.hub_path) == downloaded(SPEC)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert isinstance(try_to_load_from_cache(REPOSITORY, name), str)
    hub.requests.clear()
    fetch_tokenizer(SPEC)
    assert all("special_tokens" in name for _, name, _ in hub.requests)  # it is not there


def test_openclip_s_own_needs_nothing(hub: LocalHub) -> None:
    fetch_tokenizer(RECOMMENDED.spec)
    fetch_tokenizer("tiny/v1")
    assert hub.requests == []


def test_a_hub_that_does_not_answer_is_told(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("huggingface_hub.utils._http.time", SimpleNamespace(sleep=waits.append))
    hub.status = 500
    with pytest.raises(AppError, match="tokenizer of the model") as caught:
        fetch_tokenizer(SPEC)
    assert "weights are kept" in caught.value.hint
    assert waits  # it was asked more than once


def test_a_model_with_such_a_tokenizer_embeds_texts_of_any_script(tmp_path: Path) -> None:
    words = {"<pad>": 0, "<unk>": 1, "dog": 2, "собака": 3}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>"}'
    )
    text = {"context_length": 8, "vocab_size": 4, "width": 8, "heads": 1, "layers": 1}
    vision = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
    architecture = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": text, "custom_text": True}
    torch.manual_seed(0)
    model = open_clip.CustomTextCLIP(8, dict(vision), text | {"no_causal_mask": True})
    save_file(model.state_dict(), tmp_path / "open_clip_model.safetensors")
    text |= {"hf_tokenizer_name": str(tmp_path), "no_causal_mask": True}
    config = {"model_cfg": architecture, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}
    (tmp_path / CONFIG_FILE).write_text(json.dumps(config))

    vectors = load_encoder(str(tmp_path), "cpu", "fp32").encode_texts(["dog", "собака", "dog"])
    assert vectors[0] @ vectors[2] == pytest.approx(1.0)
    assert vectors[0] @ vectors[1] < 0.999
