"""Signing in, in a real browser: right and wrong keys, a session that ends, signing out, a key that may only read."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from app.adapters.storage import known
from app.adapters.storage.api_keys import ApiKeys
from app.adapters.storage.database import Database, open_current
from app.adapters.storage.tables import sessions
from app.core.access import AccessScope, Actor
from app.core.values import View
from tests.browser.conftest import HOST_ON_A_NETWORK
from tests.browser.test_upload_page import REFUSED, analyse, choose, violations
from training.demo import running_service
from training.phantom import write_study

pytestmark = pytest.mark.real
OPERATOR = Actor("cli:test")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with open_current(f"sqlite:///{tmp_path_factory.mktemp('sign-in')}/test.db") as database:
        yield database


@pytest.fixture(scope="module")
def address(bundle_folder: Path, database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    required = {"LIVER_PDFF_AUTHENTICATION": "required"}
    log = tmp_path_factory.mktemp("log") / "service.log"
    with running_service(bundle_folder, str(database.engine.url), log, environment=required) as service:
        yield str(service.client.base_url)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Mapping[View, Path]:
    return write_study(tmp_path_factory.mktemp("study"), 5, seed=77, pdff_percent=9)


def key(database: Database, *scopes: AccessScope) -> str:
    return ApiKeys(database.engine).create("somebody", scopes, OPERATOR)


def sign_in(page: Page, secret: str) -> None:
    page.get_by_label("Access key").fill(secret)
    with page.expect_navigation():  # until the next page's script listens
        page.get_by_role("button", name="Sign in").click()


def test_a_study_is_sent_by_somebody_who_signed_in(page: Page, database: Database, study: Mapping[View, Path]) -> None:
    page.goto("/")
    expect(page).to_have_title("Sign in · liver-pdff")
    expect(page.get_by_label("Access key")).to_be_focused()
    sign_in(page, key(database, AccessScope.SUBMIT, AccessScope.READ))
    expect(page.locator(".account")).to_contain_text("may read, submit")
    choose(page, *study.values())
    analyse(page)
    page.get_by_role("link", name="Analyses").click()
    page.get_by_role("link", name="Report").first.click()
    expect(page.locator("body")).to_contain_text("Not a medical device")


def test_a_wrong_key(page: Page, complaints: list[str], database: Database) -> None:
    page.goto("/analyses")
    sign_in(page, "liverpdff_00000000_wrong")
    expect(page.get_by_role("alert")).to_have_text("This key is unknown, or was revoked.")
    sign_in(page, key(database, AccessScope.READ))
    expect(page).to_have_title("Analyses · liver-pdff")
    complaints[:] = [each for each in complaints if not each.startswith(REFUSED)]


def test_a_session_that_ends_leaves_the_files_where_they_are(
    page: Page, complaints: list[str], database: Database, study: Mapping[View, Path]
) -> None:
    page.goto("/")
    secret = key(database, AccessScope.SUBMIT, AccessScope.READ)
    sign_in(page, secret)
    choose(page, *study.values())
    expect(page.locator("#hint")).to_have_text("Ready to be analysed.")
    with database.engine.begin() as connection:
        connection.execute(update(sessions).values(expires_at=datetime.now(UTC)))
    page.wait_for_timeout(1000 * (known.FRESH_S + 0.5))  # so long it is remembered
    page.locator("#analyse").click()
    expect(page.locator("#signed-out")).to_contain_text("Your session has ended")
    with page.context.expect_page() as opened:
        page.locator("#signed-out a").click()
    sign_in(opened.value, secret)
    expect(opened.value.locator(".account")).to_be_visible()
    analyse(page)
    expect(page.locator("#signed-out")).to_be_hidden()
    complaints[:] = [each for each in complaints if not each.startswith(REFUSED)]


def test_whoever_signs_out_is_out(page: Page, database: Database) -> None:
    page.goto("/analyses")
    sign_in(page, key(database, AccessScope.READ))
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title("Sign in · liver-pdff")
    page.goto("/analyses")
    expect(page).to_have_title("Sign in · liver-pdff")


def test_a_key_that_may_only_read(page: Page, database: Database) -> None:
    page.goto("/")
    sign_in(page, key(database, AccessScope.READ))
    expect(page.get_by_role("alert").first).to_contain_text("may not submit")
    expect(page.locator("#drop")).to_be_hidden()


def test_over_plain_http_on_a_network(browser: Browser, address: str, database: Database) -> None:
    """Browsers then send no Sec-Fetch-Site, and `Origin: null` for a form if the page's referrer policy hides it."""
    context = browser.new_context(base_url=f"http://{HOST_ON_A_NETWORK}:{address.rpartition(':')[2]}")
    page = context.new_page()
    page.goto("/analyses")
    sign_in(page, key(database, AccessScope.READ))
    expect(page).to_have_title("Analyses · liver-pdff")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title("Sign in · liver-pdff")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_stands_in_anybodys_way(
    browser: Browser, address: str, database: Database, scheme: Literal["light", "dark"], width: int
) -> None:
    """axe-core's rules on what a wrong key, a key that may only read, and a list show; nothing is too wide."""
    context = browser.new_context(
        base_url=address,
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
        bypass_csp=True,  # axe-core is put into the page
    )
    page = context.new_page()
    page.goto("/")
    sign_in(page, "wrong")
    assert violations(page) == []
    sign_in(page, key(database, AccessScope.READ))
    expect(page.locator(".account")).to_be_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()
