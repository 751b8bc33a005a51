"""The command ``engine``: what is installed and what fits, installing and removing it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from app.api.engine_schemas import EngineChoice, EngineState
from app.cli.downloads import follow, freed_text
from app.services.backend import Backend


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What ``engine`` understands."""
    command.add_argument(
        "action",
        nargs="?",
        choices=["status", "install", "remove"],
        default="status",
        help="default: status",
    )
    command.add_argument(
        "--variant",
        choices=["cpu", "cuda", "rocm"],
        help="for the processor, an NVIDIA card or an AMD card; default: what fits this computer",
    )
    command.add_argument(
        "--wheels", metavar="FOLDER", help="install from a folder of wheels, without a network"
    )
    command.add_argument(
        "--files", action="store_true", help="with status: list the files such a folder needs"
    )


async def run(options: argparse.Namespace, backend: Backend) -> int:
    """Do what was asked with the engine."""
    answer = await _ACTIONS[options.action](options, backend)
    print(json.dumps(answer) if options.json else answer["text"])
    return 0


async def _status(options: argparse.Namespace, backend: Backend) -> dict[str, object]:
    if options.files:
        files = backend.engine.files(options.variant)
        return {"files": files, "text": "\n".join(files)}
    state = await backend.engine.state()
    return {**state.model_dump(), "text": text(state)}


async def _install(options: argparse.Namespace, backend: Backend) -> dict[str, object]:
    """Stay until it is here; Ctrl-C keeps what was downloaded."""
    wheels = Path(options.wheels).expanduser().absolute() if options.wheels else None
    await follow(
        backend.engine.install(options.variant, wheels),
        backend.engine.progress,
        backend.engine.stop,
        "engine install",
        show=not options.json,
    )
    state = await backend.engine.state()
    message = f"The engine is installed: {state.title}, {state.version}."
    return {**state.model_dump(), "text": message}


async def _remove(options: argparse.Namespace, backend: Backend) -> dict[str, object]:
    freed = await backend.engine.remove()
    return {"freedBytes": freed, "text": freed_text(freed)}


_ACTIONS = {"status": _status, "install": _install, "remove": _remove}


def text(state: EngineState) -> str:
    """What there is, and what there could be, in a few lines."""
    if state.own:
        head = f"The engine is installed: {state.title}, {state.version}."
        head += " A newer one is there: engine install" if state.outdated else ""
    elif state.ready:
        head = "The engine is installed beside the program."
    else:
        head = "The engine is not installed. Install it with: engine install"
    lines = [head, f"Processor  {state.processor}"]
    lines += [f"Card       {card}" for card in state.cards]
    lines += [_choice(choice) for choice in state.choices]
    if state.reason:
        lines.append(state.reason)
    return "\n".join([*lines, f"{state.freeBytes / 1e9:,.1f} GB are free."])


def _choice(choice: EngineChoice) -> str:
    marks = ", suggested" * choice.suggested + ", installed" * choice.installed
    return (
        f"  {choice.variant:<6} {choice.title}: {choice.downloadBytes / 1e6:,.0f} MB to download, "
        f"{choice.diskBytes / 1e6:,.0f} MB on the disk{marks}"
    )
