"""A clock for models: it goes on by what a forward pass in a precision is said to take."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from app.embedding import tuning
from app.embedding.encoder import Encoder


class FakeTime:
    """Seconds a picture by precision; no precision counts as emulated."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: dict[str, float]) -> None:
        self.now = 0.0
        real = Encoder.encode_images

        def encode_images(this: Encoder, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
            self.now += seconds[this.precision] * len(batch)
            return real(this, batch)

        monkeypatch.setattr(Encoder, "encode_images", encode_images)
        monkeypatch.setattr(tuning, "is_emulated", lambda precision, clock: False)
        monkeypatch.setattr("app.embedding.tuning.time.thread_time", lambda: self.now)
