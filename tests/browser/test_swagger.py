"""Swagger UI in a real browser: four files chosen, Execute, 201; nothing is fetched from another host."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from app.core.values import View
from training.demo import running_service
from training.phantom import write_study

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def page(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed")
    folder = tmp_path_factory.mktemp("browser")
    with (
        running_service(bundle_folder, f"sqlite:///{folder}/test.db", folder / "service.log") as service,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page(base_url=str(service.client.base_url))
        browser.close()


def test_four_files_give_a_201(page: Page, tmp_path: Path) -> None:
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto("/docs")
    operation = page.locator("#operations-analyses-post_analysis_v1_analyses_post")
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Try it out").click()
    pickers = operation.locator("input[type=file]")
    expect(pickers).to_have_count(4)
    for picker, path in zip(pickers.all(), write_study(tmp_path, 5, seed=77, pdff_percent=9).values(), strict=True):
        picker.set_input_files(path)
    operation.get_by_role("button", name="Execute").click()
    status = operation.locator(".live-responses-table .response-col_status").last
    expect(status).to_contain_text("201", timeout=30_000)
    body = operation.locator(".live-responses-table .response-col_description").last
    for view in View:
        expect(body).to_contain_text(view)
    page.screenshot(path=tmp_path / "swagger.png", full_page=True)
    assert complaints == []
    assert all(url.startswith((page.evaluate("location.origin"), "data:", "blob:")) for url in requests)
