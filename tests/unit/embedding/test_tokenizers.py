"""Tokenizers that come from the hub are fetched with the weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants, try_to_load_from_cache
from local_hub import LocalHub, local_hub

from app.embedding.catalogue import RECOMMENDED, RECOMMENDED_FOR_OTHERS
from app.embedding.download import download
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


def test_a_hub_that_does_not_answer_is_told(hub: LocalHub) -> None:
    hub.status = 500
    with pytest.raises(AppError, match="tokenizer of the model") as caught:
        fetch_tokenizer(SPEC)
    assert "weights are kept" in caught.value.hint
