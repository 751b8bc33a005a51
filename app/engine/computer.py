"""What this computer has to run an engine with: its processor, and the cards in it."""

from __future__ import annotations

import csv
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.engine.lock import Variant

ANSWER_WITHIN_S = 5.0
_ABILITIES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI",
    "avx_vnni": "VNNI",
    "amx_int8": "AMX",
    "asimddp": "dot products",
    "i8mm": "int8 matrices",
    "sve": "SVE",
}
"""What the kernel calls the instructions that models gain from, and what makers call them."""
_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD"}
_DISPLAY = "0x03"
"""How the class of a graphics card begins on the PCI bus."""


@dataclass(frozen=True, slots=True)
class Card:
    """A graphics card."""

    maker: str
    """``NVIDIA`` or ``AMD``."""
    name: str = ""
    driver: str = ""
    """Its version; empty where none answers."""
    memory: int = 0
    """Bytes; 0 where it is not known."""


@dataclass(frozen=True, slots=True)
class Computer:
    """What matters for the choice of an engine."""

    processor: str
    abilities: tuple[str, ...]
    cards: tuple[Card, ...]
    apple: bool
    """It has an Apple chip, which every engine for it uses."""


def look() -> Computer:
    """Look at this computer; asks the driver of an NVIDIA card, for at most some seconds."""
    cards = _nvidia_cards()
    for maker in _makers_on_the_bus():
        if maker not in {card.maker for card in cards}:
            cards.append(Card(maker))
    name, flags = _processor()
    abilities = tuple(dict.fromkeys(word for flag, word in _ABILITIES.items() if flag in flags))
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return Computer(name, abilities, tuple(cards), apple)


def choose(computer: Computer, variants: Sequence[Variant]) -> tuple[Variant | None, str]:
    """The variant that fits a computer best, and why it is that one.

    Args:
        variants: those that its system can load.

    Returns:
        None and an empty reason where there is no variant at all.
    """
    by_name = {variant.name: variant for variant in variants}
    plain = by_name.get("cpu") or next(iter(variants), None)
    if plain is None:
        return None, ""
    nvidia = next((card for card in computer.cards if card.maker == "NVIDIA"), None)
    if nvidia is not None and (cuda := by_name.get("cuda")):
        if not nvidia.driver:
            return plain, "There is an NVIDIA card, but its driver does not answer."
        if _numbers(nvidia.driver) < _numbers(cuda.driver):
            needed = f"it needs {cuda.driver} or newer, this is {nvidia.driver}"
            return plain, f"The driver of the NVIDIA card is too old: {needed}."
        return cuda, f"The {nvidia.name or 'NVIDIA card'} is many times faster than the processor."
    if any(card.maker == "AMD" for card in computer.cards):
        if rocm := by_name.get("rocm"):
            return rocm, "The AMD card is many times faster than the processor."
        return plain, "This version of Afterimage has no engine for AMD cards."
    if computer.apple:
        return plain, "It uses the graphics part of the Apple chip."
    return plain, "There is no graphics card that it could use."


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _processor() -> tuple[str, set[str]]:
    """Its name, and the kernel's words for what it can do."""
    name, flags = "", set[str]()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            flags = set(value.split())
        elif key.strip() == "model name":
            name = " ".join(value.split())
    if not name and sys.platform == "darwin":
        name = _printed("sysctl", "-n", "machdep.cpu.brand_string").strip()
    return name or platform.processor() or platform.machine(), flags


def _nvidia_cards() -> list[Card]:
    asked = "--query-gpu=name,driver_version,memory.total"
    printed = _printed("nvidia-smi", asked, "--format=csv,noheader,nounits")
    return [
        Card("NVIDIA", name.strip(), driver.strip(), int(memory) * 1024**2)
        for name, driver, memory in (
            row for row in csv.reader(printed.splitlines()) if len(row) == 3
        )
        if memory.strip().isdecimal()
    ]


def _makers_on_the_bus() -> list[str]:
    """Makers of graphics cards, as Linux knows them also without a driver."""
    found = []
    for device in sorted(Path("/sys/bus/pci/devices").glob("*")):
        try:
            kind = (device / "class").read_text(encoding="ascii")
            vendor = (device / "vendor").read_text(encoding="ascii").strip()
        except OSError:
            continue
        if kind.startswith(_DISPLAY) and vendor in _VENDORS:
            found.append(_VENDORS[vendor])
    return found


def _printed(*command: str) -> str:
    """What a program prints; nothing where it is not there or does not answer."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=ANSWER_WITHIN_S,
            check=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return done.stdout
