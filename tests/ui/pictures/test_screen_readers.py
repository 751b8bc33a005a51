"""What a screen reader is told of a grid, over the bus that it listens on."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from page_parts import save_picture
from screens import GRID, program, virtual_screen
from system_packages import need

ROOT = ("org.a11y.atspi.Registry", "/org/a11y/atspi/accessible/root")
WITHIN_S = 20.0
SELECTED, SHOWING = 23, 25
"""Numbers of states, as AtspiStateType has them."""

Node = tuple[str, str]


class Bus:
    """The accessibility bus of a session of the test's own, asked as a screen reader asks."""

    def __init__(self, session: str) -> None:
        self._address = session
        self._address = self._call(("org.a11y.Bus", "/org/a11y/bus"), "org.a11y.Bus.GetAddress")
        self._address = self._address.split('"')[1]

    def _call(self, node: Node, method: str, *arguments: str) -> str:
        command = ["dbus-send", f"--bus={self._address}", "--print-reply", f"--dest={node[0]}"]
        return subprocess.run(
            [*command, node[1], method, *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout

    def _ask(self, node: Node, what: str, *arguments: str) -> str:
        return self._call(node, f"org.a11y.atspi.{what}", *arguments)

    def children(self, node: Node) -> list[Node]:
        answer = self._ask(node, "Accessible.GetChildren")
        return re.findall(r'string "(.*?)"\s+object path "(.*?)"', answer)

    def name(self, node: Node) -> str:
        arguments = ("string:org.a11y.atspi.Accessible", "string:Name")
        answer = self._call(node, "org.freedesktop.DBus.Properties.Get", *arguments)
        return answer.split('"')[1]

    def role(self, node: Node) -> str:
        return self._ask(node, "Accessible.GetRoleName").split('"')[1]

    def states(self, node: Node) -> set[int]:
        words = re.findall(r"uint32 (\d+)", self._ask(node, "Accessible.GetState"))
        bits = sum(int(word) << 32 * at for at, word in enumerate(words))
        return {number for number in range(64) if bits >> number & 1}

    def extents(self, node: Node) -> list[int]:
        answer = self._ask(node, "Component.GetExtents", "uint32:0")
        return [int(number) for number in re.findall(r"int32 (-?\d+)", answer)]

    def find(self, role: str, within: Node = ROOT) -> Iterator[Node]:
        """Everything with this role, however deep."""
        for child in self.children(within):
            if self.role(child) == role:
                yield child
            else:
                yield from self.find(role, child)


@contextmanager
def session_bus() -> Iterator[str]:
    """A message bus that ends with the test; its address."""
    need("dbus-daemon", "dbus-send", "/usr/libexec/at-spi-bus-launcher")
    with subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as daemon:
        assert daemon.stdout is not None
        try:
            yield daemon.stdout.readline().strip()
        finally:
            daemon.terminate()


def test_pictures_are_found_with_names_places_and_states(tmp_path: Path) -> None:
    paths = [save_picture(str(tmp_path / f"{name}.png")) for name in ("a", "b é", "c")]
    with (
        virtual_screen() as screen,
        session_bus() as session,
        program(
            screen,
            GRID,
            *paths,
            DBUS_SESSION_BUS_ADDRESS=session,
            QT_LINUX_ACCESSIBILITY_ALWAYS_ON="1",
        ) as told,
    ):
        places = [tuple(map(int, told().split())) for _ in paths]
        bus = Bus(session)
        deadline = time.monotonic() + WITHIN_S
        while not (found := list(bus.find("list"))) and time.monotonic() < deadline:
            time.sleep(0.1)  # a program enters the bus a moment after its window is there
        (grid,) = found
        assert bus.name(grid) == "Pictures"
        pictures = bus.children(grid)
        assert [bus.name(node) for node in pictures] == ["a.png", "b é.png", "c.png"]
        assert {bus.role(node) for node in pictures} == {"list item"}
        for node, place in zip(pictures, places, strict=True):
            left, top, width, height = bus.extents(node)
            assert left < place[0] < left + width
            assert top < place[1] < top + height
        states = [bus.states(node) for node in pictures]
        assert all(SHOWING in item for item in states)
        assert not any(SELECTED in item for item in states)
