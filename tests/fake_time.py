"""A clock for models: it goes on by what a forward pass in a precision is said to take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from app.embedding import tuning
from app.embedding.encoder import Encoder


class FakeTime:
    """Seconds a picture by precision; no precision counts as emulated.

    Args:
        in_int8: what a text takes in int8 of the time that it takes otherwise, 5 ms.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, seconds: dict[str, float], in_int8: float = 1.0
    ) -> None:
        self.now = 0.0
        real, real_texts = Encoder.encode_images, Encoder.encode_texts

        def encode_images(this: Encoder, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
            self.now += seconds[this.precision] * len(batch)
            return real(this, batch)

        def encode_texts(this: Encoder, texts: Sequence[str]) -> NDArray[np.float32]:
            self.now += 0.005 * len(texts) * (in_int8 if this.texts_in_int8 else 1.0)
            return real_texts(this, texts)

        monkeypatch.setattr(Encoder, "encode_images", encode_images)
        monkeypatch.setattr(Encoder, "encode_texts", encode_texts)
        monkeypatch.setattr(tuning, "is_emulated", lambda precision, clock: False)
        monkeypatch.setattr("app.embedding.tuning.time.thread_time", lambda: self.now)
