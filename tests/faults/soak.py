"""The long form: all faults again and again, at random, with fresh and with continued libraries.

    python tests/faults/soak.py [--minutes N] [--json FILE] [--seed N] [--only TEXT] [--list]

Ends with 1 where anything was lost, doubled or wrong, or did not recover.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.append(str(Path(__file__).parent.parent))  # as pytest does

from catalogue import RECOVERY_WITHIN_S, Fault, all_faults
from judge import Verdict, judge
from scene import FaultError, Scene

CONTINUED = 0.5
"""Share of the faults that meet the library of the one before."""
MOST_ON_ONE_LIBRARY = 6
RARE_FROM_MINUTES = 45.0


@dataclass(slots=True)
class Tally:
    """What came of one kind of fault."""

    count: int = 0
    recovered: int = 0
    worst_recovery_s: float = 0.0
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Result:
    """What came of all of them."""

    seed: int
    tallies: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    skipped: dict[str, str] = field(default_factory=dict)
    lost: int = 0
    doubled: int = 0
    wrong: int = 0

    def note(self, name: str, verdict: Verdict) -> None:
        tally = self.tallies[name]
        tally.count += 1
        tally.recovered += bool(verdict)
        tally.worst_recovery_s = max(tally.worst_recovery_s, verdict.recovery_s)
        tally.problems += verdict.problems()
        self.lost += len(verdict.lost)
        self.doubled += len(verdict.doubled)
        self.wrong += len(verdict.wrong)

    def figures(self) -> dict[str, object]:
        """What is written as JSON."""
        tallies = self.tallies.values()
        return {
            "faults_injected": sum(tally.count for tally in tallies),
            "recovered": sum(tally.recovered for tally in tallies),
            "lost": self.lost,
            "doubled": self.doubled,
            "wrong": self.wrong,
            "worst_recovery_s": round(max((t.worst_recovery_s for t in tallies), default=0), 2),
            "seed": self.seed,
            "faults": {
                name: {
                    "count": tally.count,
                    "recovered": tally.recovered,
                    "worst_recovery_s": round(tally.worst_recovery_s, 2),
                    "problems": tally.problems[:20],
                }
                for name, tally in sorted(self.tallies.items())
            },
            "skipped": self.skipped,
        }

    def is_good(self) -> bool:
        tallies = self.tallies.values()
        return bool(tallies) and all(
            tally.recovered == tally.count and tally.worst_recovery_s < RECOVERY_WITHIN_S
            for tally in tallies
        )

    def table(self) -> str:
        lines = [f"{'fault':<64} {'times':>5} {'well':>5} {'worst s':>8}"]
        for name, tally in sorted(self.tallies.items()):
            lines.append(
                f"{name[:64]:<64} {tally.count:>5} {tally.recovered:>5}"
                f" {tally.worst_recovery_s:>8.1f}"
            )
            lines += [f"    {problem[:400]}" for problem in tally.problems[:5]]
        lines += [f"left out: {name}: {why}" for name, why in self.skipped.items()]
        figures = self.figures()
        head = ("faults_injected", "recovered", "lost", "doubled", "wrong", "worst_recovery_s")
        return "\n".join([*lines, *(f"{name:<20} {figures[name]}" for name in head)])


def try_fault(entry: Fault, scene: Scene) -> Verdict:
    """Inject one fault and judge what it leaves; nothing of it runs afterwards."""
    scene.struck_at = 0.0
    failure = ""
    try:
        entry.inject(scene)
    except FaultError as error:
        failure = str(error)
    except Exception:  # noqa: BLE001 - a fault that breaks is a finding, too
        failure = traceback.format_exc()
    try:
        verdict = judge(scene, expected=entry.expected)
    except Exception:  # noqa: BLE001 - such as a ledger that cannot be opened
        scene.end()
        verdict = Verdict(broken=[f"it cannot be judged: {traceback.format_exc()[-1500:]}"])
    if failure:
        verdict.broken.insert(0, failure)
    return verdict


def run(minutes: float, seed: int, only: str) -> Result:
    """Go through all faults in random order until the time is up; with no time, once."""
    rng = random.Random(seed)
    result = Result(seed)
    chosen = [
        entry
        for entry in all_faults().values()
        if only in entry.name and (not entry.rare or only or minutes >= RARE_FROM_MINUTES)
    ]
    for entry in chosen:
        if why := entry.cannot_run():
            result.skipped[entry.name] = why
    able = [entry for entry in chosen if entry.name not in result.skipped]
    if not able:
        return result
    deadline = time.monotonic() + 60 * minutes
    library: Scene | None = None
    try:
        for entry in _orders(able, rng, again=minutes > 0):
            library = _library(library, entry, rng)
            began = time.monotonic()
            verdict = try_fault(entry, library)
            result.note(entry.name, verdict)
            words = "well" if verdict else "NOT WELL: " + "; ".join(verdict.problems())[:300]
            seconds = time.monotonic() - began
            print(
                f"{seconds:6.1f} s  {entry.name}: {verdict.recovery_s:.1f} s, {words}", flush=True
            )
            if not verdict or entry.fresh:
                _keep_or_clear(library, result.tallies[entry.name])
                library = None
            if minutes and time.monotonic() > deadline:
                break
    finally:
        if library is not None:
            library.end()
            library.clear()
    return result


def _orders(able: Sequence[Fault], rng: random.Random, *, again: bool) -> Iterator[Fault]:
    """Every fault once, in random order, then again in another; rare ones the first time only."""
    yield from rng.sample(able, len(able))
    often = [entry for entry in able if not entry.rare]
    while again and often:
        yield from rng.sample(often, len(often))


def _library(before: Scene | None, entry: Fault, rng: random.Random) -> Scene:
    """The library for a fault: the one before, continued, or a fresh one."""
    if before is not None:
        plain = type(before) is entry.make and not entry.fresh
        if plain and len(before.albums) < MOST_ON_ONE_LIBRARY and rng.random() < CONTINUED:
            before.programs.clear()
            before.listeners.clear()
            return before
        before.clear()
    place = Path(tempfile.mkdtemp(prefix="scene-"))
    return entry.make(place, rng.randrange(1, 100_000))


def _keep_or_clear(library: Scene, tally: Tally) -> None:
    """The first library that a fault spoils is kept to be looked at; its place is said."""
    if tally.count - tally.recovered == 1:
        library.release()
        print(f"          kept: {library.place}")
    else:
        library.clear()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; the exit code."""
    parser = argparse.ArgumentParser(description="Disturb Afterimage in every way there is.")
    parser.add_argument("--minutes", type=float, default=10, help="how long; 0: each once")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--seed", type=int, default=None, help="repeat the order of a run")
    parser.add_argument("--only", default="", metavar="TEXT", help="faults with this in the name")
    parser.add_argument("--pictures", type=int, default=1_000_000, help="with --only million")
    parser.add_argument("--list", action="store_true", help="name the faults and end")
    wanted = parser.parse_args(arguments)
    if wanted.list:
        print("\n".join(all_faults()))
        return 0
    if wanted.only == "million":
        from endurance import endure

        return endure(wanted.pictures, wanted.json)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then, too
    seed = wanted.seed if wanted.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}", flush=True)
    result = run(wanted.minutes, seed, wanted.only)
    print(result.table())
    if wanted.json:
        wanted.json.write_text(json.dumps(result.figures(), indent=2) + "\n", encoding="utf-8")
    return 0 if result.is_good() else 1


if __name__ == "__main__":
    sys.exit(main())
