"""Two workers at one session, each on a processor of its own, beside one worker on one of them.

The ledger is on PostgreSQL. No Qdrant server is to be had from a package index, so the one here is
a stand-in, and what it costs says nothing of a real one.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from photographs import photographs
from program import start_session, until_done
from random_model import random_model
from speed import copy_with_new_content
from surroundings import HERE, drawn_pictures, empty_data_folder

from app.db.engine import close_engines
from app.db.migrate import migrate
from app.services.backend import Backend

sys.path.append(str(HERE.parent))

from many_machines import running_postgres, shared_servers, worker_machine

WARM_UP_PICTURES = 200


def two_workers_ratio() -> float:
    """Pictures a second of two workers ÷ those of one."""
    processors = sorted(os.sched_getaffinity(0))[:2]
    one, two = (_pictures_per_second(processors[:number]) for number in (1, 2))
    return two / one


def _pictures_per_second(processors: Sequence[int]) -> float:
    with empty_data_folder() as folder, ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = stack.enter_context(running_postgres(place / "postgres"))
        stack.enter_context(shared_servers(postgres))
        migrate()
        for processor in processors:
            stack.enter_context(worker_machine(place / str(processor), processor))
        return asyncio.run(_session(folder))


async def _session(folder: Path) -> float:
    backend, model = Backend(), str(random_model())
    pictures = folder / "pictures"
    copy_with_new_content(sorted(photographs().iterdir()), pictures)
    # each worker loads the model for it; twice, as one of them may take all of a few pictures
    for warm_up in (drawn_pictures(WARM_UP_PICTURES), drawn_pictures(2 * WARM_UP_PICTURES)):
        await until_done(backend, await start_session(backend, warm_up, model))
    done = await until_done(backend, await start_session(backend, pictures, model))
    await close_engines()
    return done.progress.total / done.activeSeconds
