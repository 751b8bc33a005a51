"""What is done again for every picture put into the weights: the same numbers in less time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norms(model: nn.Module) -> None:
    """Fold each batch normalisation that stands right behind a convolution; changes the model.

    In a model that does not learn any more, a normalisation always multiplies and adds the same
    numbers, which the convolution before it can do as well. An activation in it stays.
    """
    for parent in list(model.modules()):
        children = list(parent.named_children())
        for (name, conv), (follower, norm) in pairwise(children):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(conv.eval(), norm.eval()))
                setattr(parent, follower, getattr(norm, "act", nn.Identity()))


def fold_same_padding(tower: nn.Module, size: tuple[int, int]) -> None:
    """Replace timm's convolutions with TensorFlow's padding by plain ones; changes the tower.

    That padding depends on the input, so timm copies each input into a larger one, which takes a
    sixth of the time of a small tower. For pictures of one size it is known. Where it is not the
    same on both sides, the kernel gets a first row or column of zeros.

    Args:
        size: height and width of the pictures; the tower must not be given others any more.
    """
    from timm.layers.conv2d_same import Conv2dSame

    inputs: dict[nn.Module, tuple[int, int]] = {}

    def note(conv: nn.Module, given: tuple[Any, ...]) -> None:
        height, width = given[0].shape[-2:]
        inputs[conv] = height, width

    padded = [part for part in tower.modules() if isinstance(part, Conv2dSame)]
    hooks = [part.register_forward_pre_hook(note) for part in padded]
    if hooks:
        with torch.inference_mode():
            tower(torch.zeros(1, 3, *size))
    for hook in hooks:
        hook.remove()
    for parent in list(tower.modules()):
        for name, part in list(parent.named_children()):
            if isinstance(part, nn.Conv2d) and part in inputs and set(part.dilation) == {1}:
                setattr(parent, name, _padded(part, inputs[part]))


def _padded(conv: nn.Conv2d, inputs: tuple[int, int]) -> nn.Conv2d:
    """What does as ``conv`` with "same" padding does, for inputs of this height and width."""
    shapes = zip(inputs, conv.kernel_size, conv.stride, strict=True)
    high, wide = (
        max((-(-n // stride) - 1) * stride + kernel - n, 0) for n, kernel, stride in shapes
    )
    # where there is one more behind than before, a zero in front makes up for it
    weight = functional.pad(conv.weight.detach(), (wide % 2, 0, high % 2, 0))
    plain = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        (weight.shape[2], weight.shape[3]),
        (conv.stride[0], conv.stride[1]),
        (-(-high // 2), -(-wide // 2)),
        groups=conv.groups,
        bias=conv.bias is not None,
    )
    plain.weight = nn.Parameter(weight)
    plain.bias = conv.bias
    return plain.eval()
