"""Batch normalisations put into the convolutions before them: the same numbers in less time."""

from __future__ import annotations

from itertools import pairwise

from torch import nn
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
