"""What the commands print, as text."""

from __future__ import annotations

import json
from collections.abc import Sequence

from app.api.training_schemas import LedgerReport, SystemStatus, TrainingProgress
from app.printable import printable
from app.scan.file_walk import left_out_text


def summary(progress: TrainingProgress) -> str:
    """One session in a few lines."""
    jobs = progress.jobsSummary
    lines = [
        f"{progress.name} (session {progress.sessionId}): {_status(progress)}",
        f"{jobs.completed:,} of {progress.progress.total:,} pictures indexed"
        + (f", {jobs.reused:,} of them already known" if jobs.reused else "")
        + (f", {jobs.failed:,} failed" if jobs.failed else "")
        + (f", {jobs.pending + jobs.running:,} remaining" if jobs.pending + jobs.running else "")
        + f", in {progress.activeSeconds:,.1f} s",
    ]
    if progress.device:
        lines.append(f"Model: {progress.model}; {progress.device}, {progress.precision}")
    if progress.skipped:
        lines.append(f"Skipped: {left_out_text(progress.skipped)}")
    if why := progress.errorMessage or progress.waitingFor:
        lines.append(why)
    if jobs.failed:
        lines.append(f"See why with: failed {progress.sessionId}")
    return "\n".join(lines)


def _status(progress: TrainingProgress) -> str:
    return "waiting" if progress.waitingFor else progress.status


def sessions(listed: Sequence[TrainingProgress], as_json: bool) -> str:
    """All sessions, one a line."""
    if as_json:
        return json.dumps([progress.model_dump(mode="json") for progress in listed])
    if not listed:
        return "No sessions yet. Start with: index FOLDER"
    return "\n".join(
        f"{p.sessionId:>5}  {_status(p):<10} {p.jobsSummary.completed:>9,} of "
        f"{p.progress.total:<9,} {p.name}  ({printable(p.rootPath)})"
        for p in listed
    )


def doctor(status: SystemStatus) -> str:
    """Everything that runs, one a line."""
    redis = "no answer" if status.redisPingMs is None else f"answers in {status.redisPingMs} ms"
    lines = [
        f"Afterimage {status.version}",
        f"Data folder   {status.dataDir}",
        f"Ledger        {status.ledger}",
        f"Vector store  {status.vectorStore}",
        f"Queue         {status.redisUrl}: {redis}",
    ]
    lines += [
        f"  {queue.name:<16} {queue.waiting} waiting, {queue.started} started, "
        f"{queue.failed} failed"
        for queue in status.queues
    ]
    alive = [worker for worker in status.workers if worker.alive]
    lines += [f"Worker        {w.name}: {w.state} {w.device} {w.notice}".rstrip() for w in alive]
    return "\n".join(lines if alive else [*lines, "Worker        none"])


def report(found: LedgerReport) -> str:
    """The outcome of a ledger check."""
    head = (
        f"{found.sessions:,} sessions, {found.jobs:,} pictures, {found.evidence:,} evidence rows, "
        f"{found.vectors:,} vectors"
    )
    if found.sampled:
        head += f"; {found.sampled:,} pictures checked again"
    if found.repaired:
        head += f"; {found.repaired:,} repaired"
    return "\n".join([head, *(found.problems or ["No problems found."])])
