"""Downloads in a terminal: how far they are, stopping them, and what removing frees."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine

from tqdm import tqdm

from app.api.model_schemas import ModelDownload
from app.errors import AppError

POLL_S = 0.2


async def follow(
    work: Coroutine[None, None, ModelDownload],
    progress: Callable[[], ModelDownload | None],
    stop: Callable[[], object],
    command: str,
    *,
    show: bool,
) -> None:
    """Stay until it is here; Ctrl-C keeps what was downloaded.

    Args:
        progress: how far it is; None where that is not known.
        stop: ends it.
        command: what goes on with it after a stop.
        show: draw a bar.

    Raises:
        AppError: it failed.
    """
    task = asyncio.create_task(work)
    with tqdm(
        unit="B",
        unit_scale=True,
        leave=False,
        disable=not show,
        file=sys.stderr,
        dynamic_ncols=True,
    ) as bar:
        while not task.done():
            try:
                await asyncio.wait([task], timeout=POLL_S)
            except asyncio.CancelledError:
                tqdm.write(f"Stopped. Continue with: {command}", file=sys.stderr)
                stop()
                await task
                raise
            if state := progress():
                bar.total = state.totalBytes or None
                bar.set_description(state.phase.capitalize(), refresh=False)
                bar.update(state.doneBytes - bar.n)
                bar.refresh()
    ended = task.result()
    if ended.phase == "failed":
        raise AppError(ended.message, ended.hint)


def freed_text(size: int) -> str:
    """What removing something has freed, in bytes, as a sentence."""
    return f"{size / 1e6:,.0f} MB freed." if size else "There was nothing to delete."
