"""A running service in a real browser, and everything that the browser complains of."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from training.demo import running_service

CHROMIUM = Path("/usr/bin/chromium")
HOST_ON_A_NETWORK = "pacs.test"
"""This machine, under a name that Chromium does not treat as the loopback."""
FLAGS = [
    f"--host-resolver-rules=MAP {HOST_ON_A_NETWORK} 127.0.0.1",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def address(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base address of a service in its own process."""
    folder = tmp_path_factory.mktemp("browser")
    with running_service(bundle_folder, f"sqlite:///{folder}/test.db", folder / "service.log") as service:
        yield str(service.client.base_url)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """Errors of the console and of scripts, and requests to other hosts; a test that expects some takes them out."""
    return []


@pytest.fixture
def page(browser: Browser, address: str, complaints: list[str]) -> Iterator[Page]:
    """An empty page; at the end nothing must have been complained of."""
    context = browser.new_context(base_url=address, ignore_https_errors=address.startswith("https"))
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    ours = (address, "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(ours) else complaints.append(request.url))
    yield page
    context.close()
    assert complaints == []
