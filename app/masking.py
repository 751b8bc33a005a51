"""Passwords and keys taken out of text that people, logs and reports are to see."""

from __future__ import annotations

import re
from urllib.parse import unquote

HIDDEN = "***"

_SHORTEST = 6
"""A known secret of fewer letters is not looked for: it would be found in innocent words."""
_known: set[str] = set()

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_ADDRESS = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>`]+")
_PORT = re.compile(r"\d{0,5}")
_NAMES = r"[\w.-]*(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|credentials?)"
_PARAMETER = re.compile(
    rf"\b({_NAMES})=('[^']*'|\"[^\"]*\"|[^\s&;,#'\"]*[^\s&;,#'\".)])", re.IGNORECASE
)


def hide(text: str) -> str:
    """The text with the passwords of all addresses in it, and every known secret, as stars."""
    if "://" in text:
        text = _ADDRESS.sub(_hide_found, text)
    if "=" in text:
        text = _PARAMETER.sub(rf"\1={HIDDEN}", text)
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def hide_in_address(address: str) -> str:
    """One address with its password hidden, also where it is not well formed."""
    shown, _ = _split(address)
    return _PARAMETER.sub(rf"\1={HIDDEN}", shown)


def learn(address: str) -> None:
    """Remember the password of an address, so that :func:`hide` finds it wherever it stands."""
    if address.startswith("sqlite:"):  # a file has none
        return
    _, secret = _split(address)
    found = [secret, *(value.strip("'\"") for _, value in _PARAMETER.findall(address))]
    for text in found:
        for secret in (text, unquote(text)):
            if len(secret) >= _SHORTEST and address.count(secret) < 2:
                _known.add(secret)


def kind_of(address: str) -> str:
    """What an address begins with, such as ``https://``; empty where it begins like none."""
    scheme, separator, _ = address.partition("://")
    return scheme + separator if separator and _SCHEME.fullmatch(scheme) else ""


def _hide_found(found: re.Match[str]) -> str:
    address = found[0].rstrip(".,;:)]}")
    return hide_in_address(address) + found[0][len(address) :]


def _split(address: str) -> tuple[str, str]:
    """The address with a hidden password, and that password, empty where there is none."""
    kind = kind_of(address)
    rest = address[len(kind) :]
    # Up to the last @, because a password that nobody encoded may hold any sign, @ and / too.
    user_info, at, place = rest.rpartition("@")
    if at and not rest.startswith("/"):
        user, colon, password = user_info.partition(":")
        if colon:
            return f"{kind}{user}:{HIDDEN}@{place}", password
        if kind.startswith("postgres"):
            return address, ""
        return f"{kind}{HIDDEN}@{place}", user  # a key, as some servers take it
    host, colon, port = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition(":")
    if not colon or rest.startswith(("/", "[")) or (host and _PORT.fullmatch(port)):
        return address, ""
    user, _, password = rest.partition(":")  # a user and a password, and no host
    return f"{kind}{user}:{HIDDEN}", password
