"""The words that people read: numbers, sizes, times, states. No Qt in here."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from app.natural_order import natural_key


def count(number: int) -> str:
    """A number with separators: ``12,345``."""
    return f"{number:,}"


def short_count(number: int) -> str:
    """A number for a badge: ``99``, ``1.2k``, ``1.0M``."""
    for limit, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= limit:
            value = number / limit
            return f"{value:.0f}{letter}" if value >= 10 else f"{int(value * 10) / 10:.1f}{letter}"
    return str(number)


def plural(number: int, noun: str, more: str = "") -> str:
    """A number with its noun: ``1 picture``, ``2 pictures``; ``more`` is an unusual plural."""
    return f"{count(number)} {noun if number == 1 else more or noun + 's'}"


def size(number: int) -> str:
    """A file size as file managers give it: ``840 KB``, ``61.2 GB``."""
    if number < 1_000:
        return plural(number, "byte")
    value = float(number)
    for unit in ("KB", "MB", "GB", "TB"):
        value /= 1_000
        if value < 999.5 or unit == "TB":
            digits = 1 if value < 99.95 and unit != "KB" else 0
            return f"{value:,.{digits}f} {unit}"
    raise AssertionError


def dimensions(width: int | None, height: int | None) -> str:
    """``4,000 × 3,000``; empty where it is not known."""
    return f"{count(width)} × {count(height)}" if width and height else ""


def sort_key(name: str) -> tuple[str, str]:
    """For names as people sort them; those that are the same but for case or zeros stay apart."""
    return natural_key(name), name


def duration(seconds: float) -> str:
    """How long something took or takes: ``11 min``, ``2 h 5 min``, ``3 days``."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        hours, rest = divmod(minutes, 60)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{round(minutes / 1440)} days"


def time_left(seconds: float | None, stalled: bool = False, discovering: bool = False) -> str:
    """What a person waits for, never more exact than it is known."""
    if stalled:
        return "No progress for a while"
    if discovering:
        return "Still counting"
    if seconds is None:
        return "Estimating the time left…"
    if seconds < 10:
        return "A few seconds left"
    if seconds < 50:
        return "Less than a minute left"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"About {plural(max(minutes, 1), 'minute')} left"
    quarters = round(seconds / 900)
    if quarters < 4 * 12:
        hours, quarter = divmod(quarters, 4)
        if hours == 1 and not quarter:
            return "About 1 hour left"
        return f"About {hours}{('', '¼', '½', '¾')[quarter]} hours left"
    hours = round(seconds / 3600)
    if hours < 48:
        return f"About {hours} hours left"
    return f"About {round(hours / 24)} days left"


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """How long ago something was; a time without a zone is UTC."""
    if moment is None:
        return "never"
    now = now or datetime.now(UTC)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = (now - moment).total_seconds()
    if seconds < 5:
        return "just now"
    if seconds < 60:
        return f"{int(seconds)} s ago"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    local, today = moment.astimezone(), now.astimezone().date()
    if local.date() == today:
        return f"today, {local:%H:%M}"
    if (today - local.date()).days == 1:
        return f"yesterday, {local:%H:%M}"
    return f"{local.day} {local:%B %Y}"


_STATES = {
    "pending": "Waiting to start",
    "running": "Indexing",
    "paused": "Paused",
    "completed": "Finished",
    "failed": "Stopped by an error",
    "cancelled": "Cancelled",
}
_PICTURE_STATES = {
    "pending": "Waiting",
    "running": "Processing",
    "completed": "Indexed",
    "failed": "Failed",
    "cancelled": "Skipped",
    "reused": "Already known",
}


def state_word(status: str, discovering: bool = False) -> str:
    """A session's state."""
    if discovering and status == "running":
        return "Indexing, still counting"
    return _STATES.get(status, status.capitalize())


def picture_state_word(status: str) -> str:
    """The state of one picture; ``reused`` is a completed one whose result was there already."""
    return _PICTURE_STATES.get(status, status.capitalize())


def indexing(current: int, total: int, status: str = "running", discovering: bool = False) -> str:
    """How far a session is: ``Indexing 12,345 of 19,900 pictures``."""
    if discovering:
        return f"{plural(total, 'picture')} so far, still counting"
    pictures = f"{count(current)} of {plural(total, 'picture')}"
    return f"Indexing {pictures}" if status == "running" else pictures


def achieved(indexed: int, failed: int, reused: int, seconds: float) -> str:
    """What a finished session did: ``19,898 indexed, 2 failed, 11 min``."""
    parts = [f"{count(indexed)} indexed"]
    if reused:
        parts.append(f"{count(reused)} of them already known")
    if failed:
        parts.append(f"{count(failed)} failed")
    if seconds >= 1:
        parts.append(duration(seconds))
    return ", ".join(parts)


def could_not_be_read(number: int) -> str:
    """``2 pictures could not be read``."""
    return f"{plural(number, 'picture')} could not be read"


def model_name(spec: str) -> str:
    """A model as a person calls it, from what the settings say."""
    if spec == "builtin":
        return "Built-in model"
    if os.sep in spec and (os.path.isabs(spec) or spec.startswith((".", "~"))):
        return os.path.basename(spec.rstrip(os.sep)) or spec
    name, _, tag = spec.partition("/")
    return f"{name} ({tag})" if tag else name


def device_name(device: str | None) -> str:
    """A device as a person calls it: ``cuda:0`` is ``GPU``."""
    if not device:
        return ""
    kind, _, number = device.partition(":")
    names = {"cpu": "CPU", "cuda": "GPU", "mps": "Apple GPU", "auto": "Automatic"}
    name = names.get(kind, device)
    return f"{name} {int(number) + 1}" if number.isdigit() and number != "0" else name


def elide_path(path: str, limit: int = 60) -> str:
    """A path of at most ``limit`` characters: its start and its end are what tells it apart."""
    if len(path) <= limit:
        return path
    head, tail = os.path.split(path)
    if len(tail) + 4 >= limit:
        half = (limit - 1) // 2
        return path[: limit - 1 - half] + "…" + path[len(path) - half :]
    keep = limit - len(tail) - 2
    return head[:keep] + "…" + os.sep + tail


def shorten(text: str, limit: int) -> str:
    """A name of at most ``limit`` characters."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
