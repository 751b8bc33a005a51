"""The space in which words and pictures meet.

The sentence model knows which words are near to each other; WordNet knows which of the classes a
word stands for. A small network, the lens, turns a sentence embedding into a query such that its
cosine with a class's vector is high for the classes that the word stands for and low for others.
Words that stand for no class keep what the sentence model says of them; what is near to no class
ends near to no class.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

DIMENSION = 256
"""Of the part of the space that words reach; no more than the text tower's width."""
HIDDEN = 1536
STEPS = 1_500
BATCH = 768
RATE = 1.5e-3
SCALE = 20.0
MIDDLE = 0.45
"""The cosine at which it is even whether a word stands for a class."""
RELATED = 0.5
"""The same for sentence embeddings."""


class Lens(nn.Module):
    """From sentence embeddings, shape (texts, 384), to unit vectors, shape (texts, 256)."""

    centre: Tensor
    basis: Tensor

    def __init__(self, sample: Tensor) -> None:
        super().__init__()
        self.register_buffer("centre", sample.mean(0))
        _, _, directions = torch.pca_lowrank(sample, DIMENSION, niter=4)
        self.register_buffer("basis", directions)
        last = nn.Linear(HIDDEN, DIMENSION)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.bend = nn.Sequential(nn.Linear(sample.shape[1], HIDDEN), nn.GELU(), last)

    def forward(self, sentences: Tensor) -> Tensor:
        """A linear map and a correction to it."""
        straight = (sentences - self.centre) @ self.basis
        return functional.normalize(straight + self.bend(sentences * math.sqrt(384)), dim=-1)


def mixed_class_embeddings(names: Tensor, others: list[Tensor]) -> Tensor:
    """What the sentence model says of each class: one part its name, three parts the rest."""
    rest = torch.stack([functional.normalize(part.mean(0), dim=-1) for part in others])
    return functional.normalize(names + 3 * rest, dim=-1)


def relatedness(sentences: Tensor, names: Tensor, mixed: Tensor) -> Tensor:
    """How far words stand for classes by the sentence model alone, shape (words, classes)."""
    nearest = torch.maximum(sentences @ names.T, sentences @ mixed.T)
    return torch.sigmoid(25 * (nearest - RELATED))


def fit(
    words: Tensor, shares: Tensor, other_words: Tensor, other_shares: Tensor, classes: Tensor
) -> tuple[Lens, Tensor]:
    """The lens, and the classes' unit vectors, shape (classes, 256).

    Args:
        words, other_words, classes: sentence embeddings.
        shares, other_shares: how far each word stands for each class, from 0 to 1.
    """
    lens = Lens(torch.cat([words, other_words]))
    vectors = nn.Parameter(lens(classes).detach().clone())
    optimizer = torch.optim.AdamW([*lens.bend.parameters(), vectors], RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS, pct_start=0.1)
    for step in range(STEPS):
        some = torch.randint(len(words), (BATCH,))
        others = torch.randint(len(other_words), (BATCH // 2,))
        sentences = torch.cat([words[some], other_words[others]])
        target = torch.cat([shares[some], other_shares[others]])
        noisy = sentences + 0.01 * torch.randn_like(sentences)
        cosines = lens(noisy) @ functional.normalize(vectors, dim=-1).T
        loss = _membership_loss(cosines, target) + _ranking_loss(cosines[:BATCH], target[:BATCH])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if (step + 1) % 250 == 0:
            print(f"  space: step {step + 1}/{STEPS}, loss {loss.item():.3f}", flush=True)
    return lens.eval().requires_grad_(False), functional.normalize(vectors.detach(), dim=-1)


def nowhere(classes: Tensor) -> Tensor:
    """The direction that is farthest from all classes' vectors, shape (dimension)."""
    farthest: Tensor = torch.linalg.svd(classes, full_matrices=False).Vh[-1]
    return farthest


def _membership_loss(cosines: Tensor, shares: Tensor) -> Tensor:
    """Whether a word stands for a class; each word counts the same, however wide it is."""
    each = functional.binary_cross_entropy_with_logits(
        SCALE * (cosines - MIDDLE), shares, reduction="none"
    )
    yes = (each * shares).sum(1) / shares.sum(1).clamp(min=1)
    no = (each * (1 - shares)).sum(1) / 15
    loss: Tensor = (yes + no).mean()
    return loss


def _ranking_loss(cosines: Tensor, shares: Tensor) -> Tensor:
    """The classes that a word stands for come before all others, and on a par."""
    wanted = shares / shares.sum(1, keepdim=True)
    return functional.cross_entropy(2 * SCALE * cosines, wanted) - _entropy(wanted)


def _entropy(shares: Tensor) -> Tensor:
    entropy: Tensor = torch.special.entr(shares).sum(1).mean()
    return entropy
