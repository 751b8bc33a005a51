"""Which Debian packages the tests lack here; `python tests/system_packages.py` prints them.

Without them the tests still run, and those that need one are skipped. :func:`need` says so; where
CI is set to true it fails instead, so that nothing is skipped unseen there.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

PROGRAMS = {
    "Xvfb": "xvfb",
    "desktop-file-validate": "desktop-file-utils",
    "xdotool": "xdotool",
    "dbus-daemon": "dbus-daemon",
    "dbus-send": "dbus-bin",
    "/usr/libexec/at-spi-bus-launcher": "at-spi2-core",
}
"""Programs that tests call, and the package of each."""

LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libxcb-shape.so.0": "libxcb-shape0",
}
"""What Qt needs besides what `app.ui.shell.display` names; on every desktop, not elsewhere."""

FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
FONT_PACKAGE = "fonts-dejavu-core"


def missing_packages() -> list[str]:
    """What to install so that no test is skipped."""
    if not sys.platform.startswith("linux"):
        return []
    font = [] if FONT.is_file() else [FONT_PACKAGE]
    return [*_programs(PROGRAMS), *_libraries(), *font]


def need(*programs: str) -> None:
    """Skip the test, or fail it in CI, unless these programs and a window's libraries are here."""
    packages = [*_programs(programs), *_libraries()]
    if not packages:
        return
    reason = f"needs system packages: sudo apt-get install {' '.join(packages)}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _programs(wanted: Iterable[str]) -> list[str]:
    return [PROGRAMS[name] for name in wanted if not shutil.which(name)]


def _libraries() -> list[str]:
    # the program's own list, asked as on a screen: the tests themselves run without one
    environment = {**os.environ, "DISPLAY": ":0"}
    environment.pop("QT_QPA_PLATFORM", None)
    of_window = subprocess.run(
        [sys.executable, "-m", "app.ui.shell.display"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    others = [package for name, package in LIBRARIES.items() if not _loads(name)]
    return list(dict.fromkeys([*of_window, *others]))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    print(" ".join(missing_packages()))
