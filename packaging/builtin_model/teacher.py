"""Sentence embeddings by MiniLM-L6-v2, kept in a file so that each text is embedded once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from transformers import BertModel, BertTokenizer

BATCH = 256


class Teacher:
    """MiniLM with mean pooling, as its makers use it."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self._folder = cache
        self._tokenizer = BertTokenizer.from_pretrained(folder)
        self._model = BertModel.from_pretrained(folder, add_pooling_layer=False)
        self._model.train(False)

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors, shape (texts, 384)."""
        digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
        cache = self._folder / f"sentences-{digest[:16]}.npy"
        if cache.is_file():
            kept: NDArray[np.float16] = np.load(cache)
            return torch.from_numpy(kept).float()
        vectors = torch.empty(len(texts), 384)
        # texts of like length together need the least padding
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            vectors[rows] = self._embed([texts[i] for i in rows])
            if start // BATCH % 100 == 0:
                print(f"  sentence model: {start}/{len(texts)}", flush=True)
        np.save(cache, vectors.half().numpy())
        return vectors.half().float()  # as the next time

    @torch.inference_mode()
    def _embed(self, texts: list[str]) -> Tensor:
        tokens = self._tokenizer(
            texts, padding=True, truncation=True, max_length=48, return_tensors="pt"
        )
        with torch.autocast("cpu", torch.bfloat16):
            hidden = self._model(**tokens).last_hidden_state.float()
        mask = tokens["attention_mask"][:, :, None]
        return functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
