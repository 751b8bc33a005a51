"""The menu entry: valid, started as a desktop would start it, and gone after uninstall."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from desktop_entry import ENTRY, ICONS, data_home, menu_entry
from screens import virtual_screen
from system_packages import need

from app.desktop_entry import WINDOW_CLASS, exec_value
from app.errors import AppError

SCRIPT = Path(__file__).parents[2] / "packaging" / "desktop_entry.py"
FILES = sorted([ENTRY, *ICONS.values()])
WITHIN_S = 60.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty data folder of a person."""
    return tmp_path / "data home"


@pytest.fixture
def screen() -> Iterator[str]:
    """A screen that nobody sees; its name."""
    with virtual_screen() as name:
        yield name


def run(action: str, home: Path, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """Run the script as ``make install`` does."""
    return subprocess.run(
        [python, str(SCRIPT), action],
        env={**os.environ, "XDG_DATA_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def files_in(home: Path) -> list[str]:
    """What lies in a data folder, without the indexes that the desktop makes itself."""
    found = [path for path in home.rglob("*") if path.is_file() and path.name != "mimeinfo.cache"]
    return sorted(str(path.relative_to(home)) for path in found)


def fields(entry: Path) -> dict[str, str]:
    lines = entry.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def text(value: str) -> str:
    """A value of an entry as a desktop reads it."""
    plain = {"n": "\n", "t": "\t", "r": "\r", "s": " ", "\\": "\\"}
    return re.sub(r"\\(.)", lambda escape: plain[escape[1]], value)


def command(value: str) -> list[str]:
    """The command of an ``Exec`` value as a desktop reads it, opening nothing."""
    assert value.endswith(" %f")
    arguments = re.findall(r'"(?:[^"\\]|\\.)*"|[^ ]+', text(value.removesuffix(" %f")))
    return [
        re.sub(r'\\(["`$\\])', r"\1", a[1:-1] if a.startswith('"') else a).replace("%%", "%")
        for a in arguments
    ]


def validate(entry: Path) -> str:
    need("desktop-file-validate")
    checked = subprocess.run(
        ["desktop-file-validate", str(entry)], capture_output=True, text=True, check=False
    )
    return checked.stdout + checked.stderr


def with_data(folder: Path) -> list[psutil.Process]:
    """Living processes that were given this data folder, and all that those started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("AFTERIMAGE_DATA_DIR") == str(folder):
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


def test_install_writes_a_valid_entry_and_says_so(home: Path) -> None:
    done = run("install", home)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Afterimage is now in your applications menu ({home / ENTRY}).\n"
    assert files_in(home) == FILES
    assert validate(home / ENTRY) == ""
    entry = fields(home / ENTRY)
    assert command(entry["Exec"]) == [os.path.abspath(sys.executable), "-P", "-m", "app"]
    assert text(entry["TryExec"]) == os.path.abspath(sys.executable)
    assert entry["Icon"] == "afterimage"


def test_install_twice_is_install_once(home: Path) -> None:
    run("install", home)
    first = {name: (home / name).read_bytes() for name in files_in(home)}
    assert run("install", home).returncode == 0
    assert {name: (home / name).read_bytes() for name in files_in(home)} == first


def test_uninstall_removes_exactly_its_own_files(home: Path) -> None:
    run("install", home)
    other = home / "applications" / "other.desktop"
    other.write_text("[Desktop Entry]\nType=Application\nName=Other\nExec=true\n")
    done = run("uninstall", home)
    assert done.stdout == "Afterimage is no longer in your applications menu; its data stays.\n"
    assert files_in(home) == ["applications/other.desktop"]
    assert run("uninstall", home).stdout == "Afterimage was not in your applications menu.\n"


def test_an_error_is_a_sentence(tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.write_text("")
    done = run("install", home)
    assert done.returncode == 1
    assert "could not be written: Not a directory." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "folder",
    [
        "/plain",
        "/with a space",
        "/50%",
        '/a "quote"',
        "/$HOME/`id`",
        "/back\\slash",
        "/#;&|~*?",
        "/日本",
    ],
)
def test_any_path_survives_the_entry(folder: str, tmp_path: Path) -> None:
    python = f"{folder}/bin/python"
    entry = tmp_path / "afterimage.desktop"
    entry.write_bytes(menu_entry([python]))
    assert validate(entry) == ""
    assert command(fields(entry)["Exec"])[0] == python
    assert text(fields(entry)["TryExec"]) == python


def test_paths_that_no_entry_can_hold_are_refused() -> None:
    with pytest.raises(AppError, match="equals sign"):
        exec_value(["/a=b/python"])
    with pytest.raises(AppError, match="not in UTF-8"):
        menu_entry(["/\udcff/python"])


def test_the_data_folder_follows_the_standard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert data_home({"XDG_DATA_HOME": "/data"}) == Path("/data")
    for useless in ({}, {"XDG_DATA_HOME": ""}, {"XDG_DATA_HOME": "relative"}):
        assert data_home(useless) == Path("/home/me/.local/share")


def test_the_entry_opens_the_window_and_nothing_stays_behind(
    home: Path, tmp_path: Path, screen: str
) -> None:
    environment = tmp_path / "my $programs" / "venv"
    environment.parent.mkdir()
    environment.symlink_to(sys.prefix)
    done = run("install", home, python=str(environment / "bin" / "python"))
    assert done.returncode == 0, done.stderr
    start = command(fields(home / ENTRY)["Exec"])
    assert start[0].startswith(str(environment))

    data = tmp_path / "data of the window"
    surroundings = {
        **os.environ,
        "DISPLAY": screen,
        "AFTERIMAGE_DATA_DIR": str(data),
        "HOME": str(tmp_path),
    }
    surroundings["DBUS_SESSION_BUS_ADDRESS"] = "disabled:"  # else libdbus leaves a bus behind
    for name in ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY"):
        surroundings.pop(name, None)
    with (tmp_path / "output").open("wb") as output:
        window = subprocess.Popen(
            start, env=surroundings, cwd=tmp_path, stdout=output, stderr=output
        )
    try:
        assert find_window(screen, "--name", "^Afterimage"), (tmp_path / "output").read_text()
        assert find_window(screen, "--class", f"^{WINDOW_CLASS}$"), "another class than announced"
        assert wait_for(lambda: (data / "run" / "worker.json").exists()), "no worker started"
        window.send_signal(signal.SIGTERM)
        assert window.wait(WITHIN_S) == 0, (tmp_path / "output").read_text()
        wait_for(lambda: not with_data(data))
        assert not with_data(data), "something is still running"
    finally:
        for process in with_data(data):
            process.kill()
        window.wait(10)


def find_window(screen: str, *what: str) -> bool:
    """Wait for a visible window."""
    search = ["xdotool", "search", "--onlyvisible", *what]
    surroundings = {**os.environ, "DISPLAY": screen}

    def found() -> bool:
        done = subprocess.run(search, env=surroundings, capture_output=True, check=False)
        return bool(done.stdout.strip())

    return wait_for(found)


def wait_for(condition: Callable[[], bool]) -> bool:
    """Ask again and again until it holds; False where it does not within a minute."""
    end = time.monotonic() + WITHIN_S
    while not (held := condition()) and time.monotonic() < end:
        time.sleep(0.2)
    return held
