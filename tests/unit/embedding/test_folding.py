"""Folded models compute the embeddings that they computed before."""

from __future__ import annotations

import open_clip
import pytest
import torch
from timm.layers.conv2d_same import Conv2dSame
from torch import nn

from app.embedding.folding import fold_batch_norms, fold_same_padding

RESNET = {"image_size": 64, "layers": [1, 2, 2, 1], "width": 16}
TIMM = {"image_size": 64, "timm_model_name": "tf_efficientnet_lite0", "timm_proj": "mlp"}


@pytest.mark.parametrize("vision", [RESNET, TIMM], ids=["OpenCLIP's ResNet", "timm"])
def test_embeddings_stay_the_same_without_batch_normalisations(vision: dict[str, object]) -> None:
    torch.manual_seed(1)
    text = {"context_length": 8, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    model = open_clip.CLIP(embed_dim=64, vision_cfg=vision, text_cfg=text).eval()
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:  # as after training
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        nn.init.normal_(norm.weight, 1, 0.2)
        nn.init.normal_(norm.bias)
    pictures = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        before = model.encode_image(pictures, normalize=True)
        fold_batch_norms(model)
        after = model.encode_image(pictures, normalize=True)
    assert norms
    assert not any(isinstance(part, nn.BatchNorm2d) for part in model.modules())
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [64, 65, (66, 97)])
def test_embeddings_stay_the_same_without_padded_copies(size: int | tuple[int, int]) -> None:
    torch.manual_seed(1)
    vision = open_clip.CLIPVisionCfg(**TIMM | {"image_size": size})
    tower = open_clip.model._build_vision_tower(32, vision).eval()
    padded = [part for part in tower.modules() if isinstance(part, Conv2dSame)]
    pictures = torch.randn(2, 3, *tower.image_size)
    with torch.inference_mode():
        before = tower(pictures)
        fold_same_padding(tower, tower.image_size)
        after = tower(pictures)
    assert padded
    assert not any(isinstance(part, Conv2dSame) for part in tower.modules())
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)
