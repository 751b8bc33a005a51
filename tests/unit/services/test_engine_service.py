"""The engine as window and command line see it: an index on this computer, small wheels."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from local_hub import LocalHub
from small_wheels import BROKEN, TEST, engine, forget_the_engine, serve

from app.cli import engine as command
from app.engine.lock import TITLES, Lock, shipped_lock
from app.engine.place import PYTHON
from app.errors import AppError
from app.services.backend import Backend
from app.services.engine_service import EngineService


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_the_engine(monkeypatch)


def service(
    hub: LocalHub, wheels: Path, version: str = "2.0", files: dict[str, str] | None = None
) -> EngineService:
    variant = engine(wheels, version, files) if files else engine(wheels, version)
    serve(hub, wheels)
    return EngineService(Lock(indexes={"local": f"{hub.url}/simple"}, variants=(variant,)), TEST)


async def test_what_there_is_and_what_there_could_be(hub: LocalHub, wheels: Path) -> None:
    engines = service(hub, wheels)
    state = await engines.state()
    assert (state.ready, state.own, state.outdated) == (False, False, False)
    (choice,) = state.choices
    assert (choice.title, choice.suggested, choice.installed) == ("Processor", True, False)
    assert choice.downloadBytes == sum(file.stat().st_size for file in wheels.iterdir())
    assert state.processor
    assert state.reason
    assert state.freeBytes > 0

    assert (await engines.install()).phase == "done"
    assert engines.progress() is None
    state = await engines.state()
    assert (state.ready, state.own, state.title) == (True, True, "Processor")
    assert state.choices[0].installed
    assert state.usedBytes == state.choices[0].diskBytes

    assert await engines.remove() == state.usedBytes
    assert not (await engines.state()).ready


async def test_a_newer_program_says_so_and_keeps_the_old_engine(
    hub: LocalHub, wheels: Path
) -> None:
    await service(hub, wheels).install()
    newer = service(hub, wheels, "3.0")
    state = await newer.state()
    assert (state.ready, state.own, state.outdated) == (True, True, True)
    assert state.version.startswith("2.0.")
    assert not state.choices[0].installed
    assert (await newer.install()).phase == "done"
    state = await newer.state()
    assert (state.outdated, state.version.startswith("3.0.")) == (False, True)


async def test_what_fails_is_kept_until_it_is_tried_again(hub: LocalHub, wheels: Path) -> None:
    engines = service(hub, wheels, files=BROKEN)
    ended = await engines.install()
    assert ended.phase == "failed"
    assert "libcuda.so is missing" in ended.message
    assert engines.progress() == ended
    engines.stop()
    assert engines.progress() is None


async def test_an_engine_that_is_not_listed_is_refused(hub: LocalHub, wheels: Path) -> None:
    with pytest.raises(AppError, match="no engine “cuda” for this computer") as caught:
        await service(hub, wheels).install("cuda")
    assert "cpu" in caught.value.hint
    with pytest.raises(AppError, match=f"no engine for Python {PYTHON}"):
        await EngineService(Lock(indexes={}, variants=())).install()


async def test_the_command_installs_shows_and_removes_it(
    hub: LocalHub, wheels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = Backend(engine=service(hub, wheels))
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    command.add_arguments(parser)

    async def run(*words: str) -> str:
        assert await command.run(parser.parse_args(words), backend) == 0
        return capsys.readouterr().out

    assert "not installed. Install it with: engine install" in await run()
    files = (await run("status", "--files")).split()
    assert sorted(files) == sorted(file.name for file in wheels.iterdir())
    assert "The engine is installed: Processor, 2.0." in await run("install")
    state = json.loads(await run("status", "--json"))
    assert (state["ready"], state["choices"][0]["installed"]) == (True, True)
    assert "MB freed" in await run("remove")
    assert "nothing to delete" in await run("remove")
    assert "installed: Processor" in await run("install", "--wheels", str(wheels))


def test_the_list_that_comes_with_the_program_is_whole() -> None:
    lock = shipped_lock()
    assert lock.variants
    for variant in lock.variants:
        assert variant.name in TITLES
        projects = [wheel.project for wheel in variant.wheels]
        assert len(projects) == len(set(projects))
        assert {"torch", "open-clip-torch", "transformers"} <= set(projects)
        assert {wheel.index for wheel in variant.wheels} <= set(lock.indexes)
        assert variant.driver or variant.name != "cuda"
        for wheel in variant.wheels:
            assert wheel.file.endswith(".whl")
            assert len(bytes.fromhex(wheel.sha256)) == 32
            assert wheel.size > 0
