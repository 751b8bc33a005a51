"""Which engine fits a computer, and why."""

from __future__ import annotations

import pytest

from app.engine.computer import Card, Computer, choose, look
from app.engine.lock import Variant

NVIDIA = Card("NVIDIA", "NVIDIA RTX 4070", "581.57", 12 * 1024**3)


def variant(name: str, driver: str = "") -> Variant:
    return Variant(
        name=name, system="linux", machine="x86_64", python="3.11", driver=driver, wheels=()
    )


ALL = [variant("cpu"), variant("cuda", "580.65"), variant("rocm")]


def computer(*cards: Card, apple: bool = False) -> Computer:
    return Computer("Processor", ("AVX2",), cards, apple)


@pytest.mark.parametrize(
    ("cards", "name", "reason"),
    [
        ([], "cpu", "no graphics card"),
        ([NVIDIA], "cuda", "RTX 4070 is many times faster"),
        ([Card("AMD"), NVIDIA], "cuda", "RTX 4070"),
        ([Card("NVIDIA", driver="535.1")], "cpu", "needs 580.65 or newer, this is 535.1"),
        ([Card("NVIDIA")], "cpu", "its driver does not answer"),
        ([Card("AMD")], "rocm", "AMD card"),
    ],
)
def test_a_card_is_used_where_it_can_be(cards: list[Card], name: str, reason: str) -> None:
    chosen, why = choose(computer(*cards), ALL)
    assert chosen is not None
    assert chosen.name == name
    assert reason in why


def test_without_an_engine_for_its_card_the_processor_is_used() -> None:
    chosen, why = choose(computer(Card("AMD")), ALL[:2])
    assert chosen is ALL[0]
    assert "no engine for AMD cards" in why
    assert choose(computer(NVIDIA), ALL[:1])[0] is ALL[0]


def test_an_apple_chip_needs_no_engine_of_its_own() -> None:
    assert "Apple chip" in choose(computer(apple=True), ALL[:1])[1]


def test_where_there_is_no_engine_none_is_chosen() -> None:
    assert choose(computer(), []) == (None, "")


def test_this_computer_has_a_processor_with_a_name() -> None:
    found = look()
    assert found.processor
    assert all(card.maker in ("NVIDIA", "AMD") for card in found.cards)
