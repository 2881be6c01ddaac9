"""Swagger UI in a real browser: four files chosen, Execute, 201; nothing is fetched from another host."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.core.values import View
from training.phantom import write_study

pytestmark = pytest.mark.real


def test_four_files_give_a_201(page: Page, tmp_path: Path) -> None:
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
