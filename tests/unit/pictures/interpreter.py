"""Whether C code lets other threads run."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable


def turns_of_another_thread(action: Callable[[], object]) -> int:
    """How often another thread gets its turn during an action.

    Python is told to switch between threads only where C code lets go of the interpreter: where
    none does, the other thread does not get a single turn before the action is done.
    """
    turns, done = 0, threading.Event()

    def take_turns() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            time.sleep(0)

    before = sys.getswitchinterval()
    other = threading.Thread(target=take_turns)
    other.start()
    try:
        sys.setswitchinterval(600)  # nobody is made to let go
        begin = turns
        action()
        return turns - begin
    finally:
        sys.setswitchinterval(before)
        done.set()
        other.join()
