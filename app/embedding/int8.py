"""The linear layers of a tower in 8-bit integers, for processors that are made for them.

Weights have one scale for each output, and values one for each row, which is found while the model
runs: nothing is calibrated, and what comes out does not depend on the pictures or texts beside it.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional

from app.embedding.checkpoint import open_clip

_LARGEST = 127
_LEAST_SHARE = 0.5
"""Of a tower's weights that are in linear layers; with fewer there is little to win."""


class Int8Linear(nn.Module):
    """A linear layer; multiplies integers, and takes and gives floats."""

    weight: torch.Tensor
    scale: torch.Tensor
    bias: torch.Tensor

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        """Take over the weight, shape (outputs, inputs), and the bias, shape (outputs)."""
        super().__init__()
        values, scale = _in_integers(weight.detach())
        self.register_buffer("weight", values)
        self.register_buffer("scale", scale.flatten())
        self.register_buffer("bias", torch.zeros(len(weight)) if bias is None else bias.detach())

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Shape (…, inputs) to (…, outputs)."""
        values, scale = _in_integers(inputs.reshape(-1, inputs.shape[-1]))
        # the one product of integers in PyTorch that does without quantized tensors, which are
        # on their way out: https://github.com/pytorch/pytorch/issues/184982
        products = torch._int_mm(values, self.weight.T).float().mul_(self.scale)
        return torch.addcmul(self.bias, products, scale).view(*inputs.shape[:-1], -1)


class _Int8Attention(nn.Module):
    """Stands for a :class:`torch.nn.MultiheadAttention` of a sequence to itself."""

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.heads = attention.num_heads
        self.in_proj = Int8Linear(attention.in_proj_weight, attention.in_proj_bias)
        self.out_proj = Int8Linear(attention.out_proj.weight, attention.out_proj.bias)

    def forward(
        self,
        inputs: torch.Tensor,
        *_same: torch.Tensor,
        need_weights: bool,
        attn_mask: torch.Tensor | None,
    ) -> tuple[torch.Tensor]:
        """Shape (pictures or texts, tokens, width), as the first of a tuple."""
        split = self.in_proj(inputs).unflatten(-1, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask)
        return (self.out_proj(seen.transpose(1, 2).flatten(2)),)


class Int8Tower(nn.Module):
    """Takes and gives floats of any precision: that of the rest of the model.

    Attributes:
        around: in a text tower's place, what the rest of the model computes in.
    """

    around = torch.float32

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, values: torch.Tensor, **options: torch.Tensor | None) -> torch.Tensor:
        """As the tower in floats does."""
        found: torch.Tensor = self.tower(values.float(), **options)
        return found.to(values.dtype)

    def get_cast_dtype(self) -> torch.dtype:
        """What OpenCLIP asks before it gives tokens to a text tower."""
        return self.around


def in_int8(tower: nn.Module) -> Int8Tower:
    """A copy of a tower in fp32 with its linear layers in 8-bit integers.

    Raises:
        RuntimeError: too few of its weights are in such layers.
    """
    instead: dict[int, nn.Module] = {}
    for part in tower.modules():
        if type(part) is nn.Linear:  # that of an attention is a subclass
            instead[id(part)] = Int8Linear(part.weight, part.bias)
        elif isinstance(part, open_clip.transformer.ResidualAttentionBlock):
            instead[id(part.attn)] = _Int8Attention(part.attn)
    layers = (layer for new in instead.values() for layer in new.modules())
    weights = sum(layer.weight.numel() for layer in layers if isinstance(layer, Int8Linear))
    if weights < _LEAST_SHARE * sum(weight.numel() for weight in tower.parameters()):
        raise RuntimeError("most of its weights are in convolutions")
    # deepcopy takes what is in its memo for copies that it has made already
    return Int8Tower(copy.deepcopy(tower, instead))


def _in_integers(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Integers from -127 to 127, and for each row what to multiply them by, shape (rows, 1)."""
    scale = values.abs().amax(-1, keepdim=True).div_(_LARGEST)
    scale.clamp_min_(torch.finfo(scale.dtype).tiny)  # a row of zeros
    return (values / scale).round_().to(torch.int8), scale
