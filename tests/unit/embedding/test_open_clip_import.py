"""OpenCLIP is imported without torchvision and PyTorch's compiler, and lacks nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file

HEAVY = ("torchvision", "transformers", "torch._dynamo", "sympy", "triton")
TIMM_TOWER = {
    "embed_dim": 8,
    "vision_cfg": {
        "timm_model_name": "test_efficientnet",
        "timm_model_pretrained": False,
        "timm_pool": "",
        "timm_proj": "linear",
        "image_size": 64,
    },
    "text_cfg": {"context_length": 8, "vocab_size": 49_408, "width": 8, "heads": 1, "layers": 1},
}


def run(code: str, **variables: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    environment = os.environ | variables
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture(scope="module")
def timm_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model whose image tower is timm's, as the built-in one's."""
    folder = tmp_path_factory.mktemp("timm")
    torch.manual_seed(0)
    model = open_clip.CustomTextCLIP(**TIMM_TOWER)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    config = {
        "model_cfg": TIMM_TOWER | {"custom_text": True},
        "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def printed(timm_model: Path) -> list[str]:
    """The lines of an interpreter that has embedded with such a model."""
    return run(
        "import sys, numpy as np\n"
        "from app.embedding.loading import load_encoder\n"
        f"encoder = load_encoder({str(timm_model)!r}, 'cpu', 'fp32')\n"
        "pixels = np.full((2, 64, 64, 3), 90, np.uint8)\n"
        "print(encoder.encode_images(pixels).shape, encoder.encode_texts(['a dog']).shape)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])\n"
        "import open_clip.transform\n"
        "try: open_clip.transform.Compose([])\n"
        "except RuntimeError as error: print(error)",
        AFTERIMAGE_DATA_DIR=str(timm_model / "data"),
    ).splitlines()


def test_a_model_of_timm_embeds_without_any_of_the_heavy_libraries(printed: list[str]) -> None:
    assert printed[:2] == ["(2, 8) (1, 8)", "[]"]


def test_what_is_used_after_all_says_that_it_was_left_out(printed: list[str]) -> None:
    assert printed[2:] == ["torchvision was left out when OpenCLIP was imported"]


def test_torchvision_can_be_imported_afterwards_and_functions_be_marked() -> None:
    printed = run(
        "import torch\n"
        "mark = torch.compiler.disable\n"
        "import app.embedding.checkpoint\n"
        "import torchvision.transforms\n"
        "print(torchvision.transforms.Resize(8).size, torch.compiler.disable is mark)"
    )
    assert printed.split() == ["8", "True"]


@pytest.mark.parametrize("length", [8, 77])
def test_its_own_tokenizers_share_their_words_and_give_the_same_numbers(length: int) -> None:
    module = open_clip.tokenizer
    whole = module.SimpleTokenizer(module.default_bpe(), context_length=length)
    shared = module.SimpleTokenizer(context_length=length)
    texts = ["", "a red circle", "Straße, 日本 & 🙂", "more words than any model takes " * 50]
    assert torch.equal(shared(texts), whole(texts))
    assert shared.encoder is module._tokenizer.encoder
    assert whole.encoder is not shared.encoder
