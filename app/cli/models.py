"""The command ``models``: list them, download, remove, choose and measure one."""

from __future__ import annotations

import argparse
import json
import locale
from collections.abc import Sequence

from app.api.model_schemas import ModelRow
from app.cli.downloads import follow, freed_text
from app.cli.foreground import working
from app.embedding.catalogue import CURATED, check_model
from app.errors import AppError
from app.services.backend import Backend

_STATES = {
    "ready": "on this computer",
    "partial": "partly downloaded",
    "absent": "not downloaded",
    "unavailable": "cannot be used",
}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What ``models`` understands."""
    command.add_argument(
        "action",
        nargs="?",
        choices=["list", "download", "remove", "use", "measure"],
        default="list",
        help="default: list",
    )
    command.add_argument("spec", nargs="?", metavar="SPEC", help="as the list names it")


async def run(options: argparse.Namespace, backend: Backend) -> int:
    """Do what was asked with one model, or list them all."""
    if options.action == "list":
        async with backend.db() as db:
            rows = await backend.models.list(db, locale.getlocale()[0] or "")
        print(json.dumps([row.model_dump() for row in rows]) if options.json else text(rows))
        return 0
    if not options.spec:
        raise AppError(
            f"Which model? `models {options.action}` needs its name.", "See: models list"
        )
    spec = check_model(options.spec) if options.action != "remove" else options.spec
    answer = await _ACTIONS[options.action](backend, spec, not options.json)
    print(json.dumps(answer) if options.json else answer["text"])
    return 0


async def _download(backend: Backend, spec: str, show: bool) -> dict[str, object]:
    """Stay until it is here; Ctrl-C keeps what was downloaded."""
    if await backend.models.on_disk(spec):
        return {"spec": spec, "state": "ready", "text": f"{spec} is already on this computer."}
    if spec in {choice.spec for choice in CURATED}:
        await _follow(backend, spec, show)
    else:  # where it is to be had, only the worker can tell
        async with working(wait_until_ready=True):
            await _follow(backend, spec, show)
    return {"spec": spec, "state": "ready", "text": f"{spec} is on this computer now."}


async def _follow(backend: Backend, spec: str, show: bool) -> None:
    await follow(
        backend.models.download(spec),
        lambda: backend.models.downloads().get(spec),
        lambda: backend.models.stop_download(spec),
        f"models download {spec}",
        show=show,
    )


async def _remove(backend: Backend, spec: str, show: bool) -> dict[str, object]:
    freed = await backend.models.remove(spec)
    return {"spec": spec, "freedBytes": freed, "text": freed_text(freed)}


async def _use(backend: Backend, spec: str, show: bool) -> dict[str, object]:
    await backend.models.use(spec)
    return {"spec": spec, "inUse": True, "text": f"New sessions use {spec}."}


async def _measure(backend: Backend, spec: str, show: bool) -> dict[str, object]:
    async with working(wait_until_ready=True):
        speed = await backend.models.measure(spec)
    message = f"About {_rate(speed.picturesPerSecond)} pictures a second on {speed.measuredOn}."
    return {"spec": spec, **speed.model_dump(), "text": message}


_ACTIONS = {"download": _download, "remove": _remove, "use": _use, "measure": _measure}


def text(rows: Sequence[ModelRow]) -> str:
    """Every model in two or three lines."""
    return "\n\n".join(_entry(row) for row in rows)


def _entry(row: ModelRow) -> str:
    size = f"{row.downloadMb:,} MB" if row.downloadMb else ""
    dimension = f"{row.dimension} dimensions" if row.dimension else ""
    state = _STATES[row.state] + (", used for new sessions" if row.inUse else "")
    if row.recommended:
        state += ", recommended"
    facts = [
        state,
        size,
        dimension,
        row.licence,
        row.languages and f"descriptions: {row.languages}",
    ]
    if speed := row.speed:
        facts.append(f"{_rate(speed.picturesPerSecond)} pictures a second on {speed.measuredOn}")
    lines = [f"{row.spec}  ({row.title})", "  " + "; ".join(filter(None, facts))]
    if row.figures:
        lines.append(f"  {row.figures}")
    lines += [
        f"  index {index.modelId}: {index.vectors:,} pictures"
        + (", used for searches" if index.inSearch else "")
        for index in row.indexes
        if index.vectors
    ]
    return "\n".join([*lines, f"  {row.reason}"] if row.reason else lines)


def _rate(number: float | None) -> str:
    return f"{number or 0:,.{1 if (number or 0) < 10 else 0}f}"
