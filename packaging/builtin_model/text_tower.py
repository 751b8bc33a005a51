"""The text tower: OpenCLIP's small transformer, taught to give a text its place in the space."""

from __future__ import annotations

import time
from collections.abc import Callable

import open_clip
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

WIDTH = 256
CONTEXT = 32
CONFIG = {"context_length": CONTEXT, "vocab_size": 49_408, "width": WIDTH, "heads": 4, "layers": 3}
PEAK_RATE = 1e-3
WORD_RATE = 1e-3
WARM_UP = 0.03
BETAS = (0.9, 0.98)
END_OF_TEXT = 49_407
SCALE = 40.0
"""Of cosines when they are compared as logits."""

Batch = tuple[Tensor, Tensor]
"""Tokens, shape (texts, 32), and where the texts belong, shape (texts, dimension)."""


def start(model: open_clip.CLIP, word_places: Tensor) -> None:
    """Weights with which a text is the mean of its words' places, before any training.

    Args:
        word_places: of every token of the tokenizer, shape (49408, 256), rows of unit length.
    """
    with torch.no_grad():
        model.token_embedding.weight.copy_(word_places)
        model.token_embedding.weight[END_OF_TEXT - 1 :] = 0
        model.positional_embedding.mul_(0.1)
        attention = model.transformer.resblocks[0].attn
        attention.in_proj_weight[: 2 * WIDTH] *= 0.3  # looks at all words about alike
        attention.in_proj_weight[2 * WIDTH :] = torch.eye(WIDTH)
        attention.out_proj.weight.copy_(torch.eye(WIDTH))
        model.text_projection.zero_()
        model.text_projection[:, : word_places.shape[1]] = torch.eye(WIDTH)


def encode(model: open_clip.CLIP, tokens: Tensor) -> Tensor:
    """As ``encode_text``, without the padding that the longest text does not need."""
    length = int(tokens.argmax(1).max()) + 1
    tokens = tokens[:, :length]
    words = functional.embedding(tokens, model.token_embedding.weight, sparse=True)
    hidden = words + model.positional_embedding[:length]
    with sdpa_kernel(SDPBackend.MATH):  # the quickest for such short texts on a CPU
        hidden = model.transformer(hidden, attn_mask=model.attn_mask[:length, :length])
    ends = hidden[torch.arange(len(tokens)), tokens.argmax(1)]
    return functional.normalize(model.ln_final(ends) @ model.text_projection, dim=-1)


def train(
    model: open_clip.CLIP, batches: Callable[[], list[Batch]], classes: Tensor, steps: int
) -> None:
    """Bring texts to their places; what counts most is how they then score the classes.

    Args:
        batches: gives one step's texts, in groups of like length.
        classes: unit vectors, shape (classes, dimension).
    """
    optimizers = _optimizers(model)
    schedules = [
        torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            [group["lr"] for group in optimizer.param_groups],
            steps,
            pct_start=WARM_UP,
            cycle_momentum=False,
        )
        for optimizer in optimizers
    ]
    dimension = classes.shape[1]
    began = time.monotonic()
    for step in range(steps):
        total = 0.0
        groups = batches()
        texts = sum(len(tokens) for tokens, _ in groups)
        for tokens, places in groups:
            found = encode(model, tokens)[:, :dimension]
            loss = _distance(found, places, classes).sum() / texts
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.transformer.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
        if (step + 1) % 50 == 0 or step == 0:
            minutes = (time.monotonic() - began) / 60
            print(
                f"  text: step {step + 1}/{steps}, loss {total:.4f}, {minutes:.1f} min", flush=True
            )


def _distance(found: Tensor, wanted: Tensor, classes: Tensor) -> Tensor:
    """How far texts are from their places: in space, in their cosines with the classes, and in the
    order into which they bring them; shape (texts)."""
    difference = found - wanted
    cosines = difference @ classes.T
    order = functional.kl_div(
        functional.log_softmax(SCALE * found @ classes.T, dim=1),
        functional.log_softmax(SCALE * wanted @ classes.T, dim=1),
        reduction="none",
        log_target=True,
    )
    return difference.square().sum(1) + cosines.square().sum(1) / 8 + order.sum(1) / 4


def _optimizers(model: open_clip.CLIP) -> list[torch.optim.Optimizer]:
    """One for the layers, of which only matrices decay, and one for the words that occur."""
    layers = list(model.transformer.parameters())
    matrices = [weight for weight in layers if weight.ndim > 1]
    rest = [weight for weight in layers if weight.ndim < 2]
    rest += [model.text_projection, model.positional_embedding, *model.ln_final.parameters()]
    groups = [
        {"params": matrices, "weight_decay": 0.02},
        {"params": rest, "weight_decay": 0.0},
    ]
    words = [model.token_embedding.weight]
    return [
        torch.optim.AdamW(groups, PEAK_RATE, betas=BETAS, fused=True),
        torch.optim.SparseAdam(words, WORD_RATE, betas=BETAS),
    ]
