"""How well models find pictures that they never saw."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from program import running_program, start_session, until_done
from surroundings import DRAWING_CODE, DRAWN_MODEL, empty_data_folder, use_drawing_code
from unknown_words import Honesty, honesty

from app.config import BUILTIN_MODEL, get_settings, variable

if TYPE_CHECKING:
    import numpy as np
    from held_out import HeldOut
    from numpy.typing import NDArray
    from PIL.Image import Image

    from app.embedding.encoder import Encoder


def drawn_recall() -> float:
    """The share of captions whose own picture ranks first, of the drawn model."""
    use_drawing_code()
    from drawn_recall import held_out_recall

    from app.embedding.loading import load_encoder

    encoder = load_encoder(DRAWN_MODEL)
    return held_out_recall(_by(encoder), encoder.encode_texts)


def builtin_recall() -> tuple[HeldOut, Honesty] | None:
    """What the built-in model finds in photographs, and whether the program tells what it knows;
    None where the photographs cannot be had.
    """
    sys.path.append(str(DRAWING_CODE / "builtin_model"))
    from held_out import CATEGORIES, measure, photographs

    from app.embedding.loading import load_encoder

    pictures = photographs()
    if pictures is None:
        return None
    words = list(json.loads(CATEGORIES.read_text(encoding="utf-8")))
    with empty_data_folder():
        os.environ[variable("model")] = BUILTIN_MODEL
        get_settings.cache_clear()
        told = asyncio.run(_honesty(pictures[0].file.parent, words))
    encoder = load_encoder(BUILTIN_MODEL)
    return measure(pictures, _by(encoder), encoder.encode_texts), told


async def _honesty(folder: Path, words: Sequence[str]) -> Honesty:
    async with running_program() as backend:
        await until_done(backend, await start_session(backend, folder))
        return await honesty(backend, words)


def _by(encoder: Encoder) -> Callable[[Sequence[Image]], NDArray[np.float32]]:
    """The program's own way from pictures to vectors."""
    import numpy as np

    from app.pictures.pixels import Orientation, fit

    def encode(pictures: Sequence[Image]) -> NDArray[np.float32]:
        squares = [
            fit(picture, picture.size, Orientation(), encoder.pixels) for picture in pictures
        ]
        return encoder.encode_images(np.stack(squares))

    return encode
