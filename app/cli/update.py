"""The command ``update``: look for changes, index them, and remove what is gone where asked."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from app.api.update_schemas import MissingPreview, UpdateSummary
from app.cli import output
from app.cli.foreground import follow, working
from app.errors import AppError
from app.services.backend import Backend


async def run(options: argparse.Namespace, backend: Backend) -> int:
    """Update a session and stay until its new pictures are indexed."""
    if options.json and options.prune and not options.yes:
        raise AppError(
            "--json cannot ask for confirmation.", "Add --yes to remove the missing pictures."
        )
    async with backend.db() as db:  # without a worker: one is started only where there is work
        summary = await backend.updates.update(db, options.session)
        progress = await backend.training.get_session_progress(db, options.session)
    if not options.json:
        print(text(summary))
    if progress.status == "running":
        async with working() as runtime:
            progress = await follow(backend, options.session, runtime, show=not options.json)
        if not options.json:
            print(output.summary(progress))
    removed = await _prune(options, backend) if options.prune else 0
    if options.json:
        print(json.dumps(summary.model_dump(mode="json") | {"removed": removed}))
    return 1 if progress.status == "failed" or summary.message else 0


async def _prune(options: argparse.Namespace, backend: Backend) -> int:
    async with backend.db() as db:
        preview = await backend.updates.preview_missing(db, options.session)
    if not options.json:
        print(preview_text(preview))
    if not preview.missing or not (
        options.yes or await asyncio.to_thread(agreed, "Remove them from the index?")
    ):
        return 0
    async with working(wait_until_ready=True), backend.db() as db:
        removed = await backend.updates.prune(db, options.session)
    if not options.json:
        print(f"{removed:,} removed from the index. No file was touched.")
    return removed


def agreed(question: str) -> bool:
    """Ask on the terminal; the safe answer is the default.

    Raises:
        AppError: there is no terminal.
    """
    if not sys.stdin.isatty():
        raise AppError(
            "There is no terminal to ask for confirmation.", "Add --yes to go on without it."
        )
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def text(summary: UpdateSummary) -> str:
    """What an update found, in a line or two."""
    counts = [
        f"{number:,} {word}"
        for number, word in (
            (summary.new, "new"),
            (summary.changed, "changed"),
            (summary.moved, "moved"),
            (summary.missing, "missing"),
            (summary.back, "back"),
            (summary.left_out, "now skipped"),
            (summary.unchanged, "unchanged"),
        )
        if number
    ]
    found = ", ".join(counts) or "No pictures"
    return f"{found}.\n{summary.message}".strip() if summary.message else f"{found}."


def preview_text(preview: MissingPreview) -> str:
    """What removing would remove."""
    if not preview.missing:
        return "No picture is missing."
    message = f"{preview.missing:,} of {preview.total:,} pictures are gone"
    return (
        f"{message}; {preview.moved:,} of them were moved or renamed."
        if preview.moved
        else f"{message}."
    )
