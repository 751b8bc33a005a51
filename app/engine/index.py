"""Where a package index has a file: a page for each project links to all of them (PEP 503)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urljoin

from app.errors import first_line
from app.transfer import CONNECT_SECONDS, READ_SECONDS, Transfer, host

if TYPE_CHECKING:
    from httpx import Response

log = logging.getLogger(__name__)

_AGENT = {"User-Agent": "afterimage"}
_HINT = (
    "Connect to the internet and try again. Behind a proxy, set HTTPS_PROXY to its address first; "
    "without a network, use a folder of wheels: afterimage engine install --wheels FOLDER"
)


def network_error() -> type[Exception]:
    """What :func:`stream` raises where the network fails."""
    from httpx import HTTPError

    return HTTPError


@contextmanager
def stream(url: str, headers: Mapping[str, str], timeout: float) -> Iterator[Response]:
    """Begin to get an address, through the proxy of the environment where one is set."""
    import httpx

    limits = httpx.Timeout(timeout, connect=CONNECT_SECONDS)
    with (
        httpx.Client(follow_redirects=True, timeout=limits) as client,
        client.stream("GET", url, headers=_AGENT | dict(headers)) as response,
    ):
        yield response


def links(address: str, project: str, transfer: Transfer) -> dict[str, str]:
    """The address of each file that an index has of a project, by the file's name.

    Raises:
        AppError: the index cannot be reached, or does not have the project.
    """
    from httpx import HTTPError, InvalidURL

    page = f"{address.rstrip('/')}/{project}/"
    try:
        with stream(page, {"Accept": "text/html"}, READ_SECONDS) as response:
            text = response.read().decode("utf-8", "replace")
            status, base = response.status_code, str(response.url)
    except (HTTPError, InvalidURL, OSError, ValueError) as error:
        log.info("%s: %s", page, first_line(error))
        raise transfer.failed(f"{host(page)} cannot be reached", _HINT) from error
    if status != 200:
        raise transfer.failed(f"{host(page)} answered with status {status}", "Try again later.")
    parser = _Links()
    parser.feed(text)
    found = (urldefrag(urljoin(base, link)).url for link in parser.found)
    return {unquote(url.rpartition("/")[2]): url for url in found}


class _Links(HTMLParser):
    """Collects what the links of a page point at."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]
