"""Train the tests' model from nothing on drawn pictures, and print its recall on others.

    python packaging/train_drawn_model.py              train, save, evaluate
    python packaging/train_drawn_model.py --evaluate   evaluate the saved model only

Needs two CPU cores for about a quarter of an hour, and 4 GB of memory.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import multiprocessing
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import open_clip
import torch
from drawing import Scene, captions, draw, hints, random_scene
from drawn_recall import QUERIES, Vectors, held_out_recall
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save as to_safetensors
from torch import Tensor
from torch.nn import functional

FOLDER = Path(__file__).parent.parent / "tests" / "drawn-model"
SEED = 1
PICTURES = 100_000
STEPS = 1_400
BATCH = 512
PEAK_RATE = 2e-3
WARM_UP = 100
HINT_SHARE = 0.35
UNKNOWN_SHARE = 0.15
UNKNOWN_TOKEN = 0  # its embedding is held at zero, as that of every word never seen
IMAGE_SIZE = 64

MODEL_CONFIG = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": IMAGE_SIZE, "layers": [1, 2, 2, 1], "width": 16},
    # 49,408 words is the tokenizer's size; a narrow tower keeps the file small
    "text_cfg": {
        "context_length": 32,
        "vocab_size": 49_408,
        "width": 32,
        "heads": 4,
        "layers": 3,
    },
}
PREPROCESS_CONFIG = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


def draw_for_training(seed: int) -> tuple[Scene, NDArray[np.uint8]]:
    """One training scene and its pixels, shape (64, 64, 3), cropped and reduced as at indexing."""
    rng = random.Random(seed)
    scene = random_scene(rng, held_out=False)
    width, height = rng.randint(128, 224), rng.randint(128, 224)
    picture = draw(scene, (width, height), supersample=1)
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    square = picture.resize(
        (IMAGE_SIZE, IMAGE_SIZE),
        Image.Resampling.BICUBIC,
        box=(left, top, left + side, top + side),
    )
    return scene, np.asarray(square)


class TrainingSet:
    """Drawn pictures in memory, and the tokens of every text that is true of one of them.

    pixels: (pictures, 3, 64, 64) uint8. tokens: (texts, 32). full, partial: for each picture the
    numbers of its captions and hints, (pictures, widest); short rows repeat from their start.
    """

    def __init__(self, count: int) -> None:
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            seeds = range(SEED * 10**9, SEED * 10**9 + count)
            drawn = pool.map(draw_for_training, seeds, chunksize=500)
        stacked = np.stack([pixels for _, pixels in drawn])
        self.pixels = torch.from_numpy(stacked).permute(0, 3, 1, 2)
        numbers: dict[str, int] = {}
        self.full = self._table(numbers, [captions(scene) for scene, _ in drawn])
        self.partial = self._table(numbers, [hints(scene) for scene, _ in drawn])
        self.tokens = open_clip.get_tokenizer(f"local-dir:{FOLDER}")(list(numbers))

    @staticmethod
    def _table(numbers: dict[str, int], texts: list[list[str]]) -> Tensor:
        widest = max(map(len, texts))
        rows = [itertools.islice(itertools.cycle(row), widest) for row in texts]
        return torch.tensor([[numbers.setdefault(t, len(numbers)) for t in row] for row in rows])

    def batch(self, picks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels, tokens, and which (text, picture) are both true and not the pair itself."""
        size = len(picks)
        by_hint = torch.rand(size) < HINT_SHARE
        full, partial = self.full[picks], self.partial[picks]
        rows = torch.arange(size)
        text = torch.where(
            by_hint,
            partial[rows, torch.randint(partial.shape[1], (size,))],
            full[rows, torch.randint(full.shape[1], (size,))],
        )
        known = torch.cat([full, partial], dim=1)
        also_true = (known[None, :, :] == text[:, None, None]).any(dim=2)
        also_true.fill_diagonal_(False)
        return augmented(self.pixels[picks]), with_unknown_words(self.tokens[text]), also_true


def augmented(pixels: Tensor) -> Tensor:
    """Normalised floats in a slightly different light each time; (batch, 3, 64, 64)."""
    images = pixels.float().div_(127.5).sub_(1)
    light = 1 + 0.06 * torch.randn(len(images), 1, 1, 1)
    shift = 0.04 * torch.randn(len(images), 3, 1, 1)
    images = (images * light + shift).clamp_(-1, 1)
    return images.contiguous(memory_format=torch.channels_last)


def with_unknown_words(tokens: Tensor) -> Tensor:
    """Some rows with one unknown word put in, so that the model learns to read past such."""
    longer = tokens.clone()
    for row in (torch.rand(len(tokens)) < UNKNOWN_SHARE).nonzero().flatten().tolist():
        length = int(tokens[row].argmax())  # the end-of-text token is the largest
        if length + 1 < tokens.shape[1]:
            at = int(torch.randint(1, length + 1, ()))
            longer[row, at + 1 :] = tokens[row, at:-1]
            longer[row, at] = UNKNOWN_TOKEN
    return longer


def contrastive_loss(images: Tensor, texts: Tensor, scale: Tensor, also_true: Tensor) -> Tensor:
    """Symmetric cross-entropy over the batch; pairs that are true by chance count neither way."""
    logits = (scale * texts @ images.T).masked_fill(also_true, -math.inf)
    target = torch.arange(len(logits))
    return (
        functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
    ) / 2


def new_model(known_tokens: Tensor) -> open_clip.CLIP:
    """A model with random weights, and zero for every word that training does not know."""
    model = open_clip.CLIP(**MODEL_CONFIG)
    known = torch.zeros(model.vocab_size, 1)
    known[known_tokens] = 1
    known[UNKNOWN_TOKEN] = 0
    with torch.no_grad():
        model.token_embedding.weight *= known
    return model.to(memory_format=torch.channels_last)


def optimizer_for(model: open_clip.CLIP) -> torch.optim.AdamW:
    """AdamW; only matrices decay, and the word embeddings do not."""
    decaying: list[Tensor] = []
    free: list[Tensor] = []
    for name, weight in model.named_parameters():
        (decaying if weight.ndim > 1 and "embedding" not in name else free).append(weight)
    groups = [{"params": decaying, "weight_decay": 0.1}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.98))


def learning_rate(step: int) -> float:
    """The share of the peak rate at a step: a short rise, then half a cosine down to zero."""
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (step - WARM_UP) / (STEPS - WARM_UP)))


def train(pictures: TrainingSet) -> open_clip.CLIP:
    """All steps; prints a line every hundred."""
    model = new_model(pictures.tokens.unique())
    optimizer = optimizer_for(model)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, learning_rate)
    model.train()
    began = time.monotonic()
    order = torch.empty(0, dtype=torch.long)
    for step in range(STEPS):
        if len(order) < BATCH:
            order = torch.randperm(len(pictures.pixels))
        picks, order = order[:BATCH], order[BATCH:]
        pixels, tokens, also_true = pictures.batch(picks)
        with torch.autocast("cpu", torch.bfloat16):  # halves the time of convolutions
            images = model.encode_image(pixels)
        images = functional.normalize(images.float(), dim=-1)
        texts = model.encode_text(tokens, normalize=True)
        loss = contrastive_loss(images, texts, model.logit_scale.exp(), also_true)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
            model.token_embedding.weight[UNKNOWN_TOKEN] = 0
        if (step + 1) % 100 == 0:
            minutes = (time.monotonic() - began) / 60
            print(f"step {step + 1}/{STEPS}  loss {loss.item():.3f}  {minutes:.1f} min", flush=True)
    return model.eval()


def write_config() -> None:
    """The file that tells open_clip what to build; the tokenizer needs it before training."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": MODEL_CONFIG, "preprocess_cfg": PREPROCESS_CONFIG}
    (FOLDER / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")


def save(model: open_clip.CLIP) -> None:
    """Weights in half precision, except batch statistics, whose range it may not hold."""
    state = {
        name: value.half() if value.ndim > 1 else value
        for name, value in model.state_dict().items()
    }
    weights = {name: value.contiguous() for name, value in state.items()}
    (FOLDER / "open_clip_model.safetensors").write_bytes(to_safetensors(weights))


def evaluate() -> float:
    """Held-out recall@1 of the saved model, loaded as the program loads it."""
    name = f"local-dir:{FOLDER}"
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    tokenizer = open_clip.get_tokenizer(name)
    model.eval()

    @torch.inference_mode()
    def encode_images(pictures: Sequence[Image.Image]) -> Vectors:
        pixels = torch.stack([preprocess(picture) for picture in pictures])
        vectors: Vectors = model.encode_image(pixels, normalize=True).numpy()
        return vectors

    @torch.inference_mode()
    def encode_texts(texts: Sequence[str]) -> Vectors:
        vectors: Vectors = model.encode_text(tokenizer(list(texts)), normalize=True).numpy()
        return vectors

    recall = held_out_recall(encode_images, encode_texts)
    print(f"recall@1 on {QUERIES} held-out captions and pictures: {recall:.3f}")
    return recall


def main() -> None:
    """Parse the one option, train if wanted, evaluate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--evaluate", action="store_true", help="only test the saved model")
    if not parser.parse_args().evaluate:
        began = time.monotonic()
        random.seed(SEED)
        torch.manual_seed(SEED)
        torch.set_num_threads(2)
        write_config()
        print(f"drawing {PICTURES} pictures", flush=True)
        save(train(TrainingSet(PICTURES)))
        print(f"trained in {(time.monotonic() - began) / 60:.1f} minutes")
    evaluate()


if __name__ == "__main__":
    main()
