"""The pages in Firefox, through nginx and under a path: another engine than Chromium's."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from app.core.values import View
from tests.browser.firefox import Firefox, running_firefox
from tests.proxy import recipe, running_nginx
from training.demo import running_service
from training.phantom import write_study

pytestmark = pytest.mark.real
SETTINGS = {"LIVER_PDFF_ROOT_PATH": "/liver"}
PICTURES = "Promise.all([...document.images].map((image) => image.decode())).then(() => document.images.length)"


@pytest.fixture(scope="module")
def address(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What people type."""
    folder = tmp_path_factory.mktemp("proxy")
    database, log = f"sqlite:///{folder}/test.db", folder / "service.log"
    with running_service(bundle_folder, database, log, environment=SETTINGS) as service:
        assert service.client.base_url.port
        with running_nginx(folder, service.client.base_url.port, recipe()) as proxied:
            yield proxied


@pytest.fixture
def firefox(address: str, tmp_path: Path) -> Iterator[Firefox]:
    """A browser that must have nothing to complain of."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("Firefox is not installed")
    with running_firefox(program, tmp_path, address) as firefox:
        yield firefox
    assert firefox.complaints == []


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Mapping[View, Path]:
    return write_study(tmp_path_factory.mktemp("study"), 5, seed=77, pdff_percent=9)


def test_a_study_is_sent_and_found_again(firefox: Firefox, address: str, study: Mapping[View, Path]) -> None:
    firefox.go(f"{address}/")
    firefox.choose("#files", list(study.values()))
    firefox.wait_for("!document.querySelector('#analyse').disabled")
    firefox.evaluate("document.querySelector('#analyse').click()")
    firefox.wait_for("!document.querySelector('#result').hidden")
    assert firefox.evaluate(PICTURES) >= 8
    links = firefox.evaluate("[...document.querySelectorAll('a')].map((link) => link.href)")
    assert len(links) > 8
    for link in links:
        assert link.startswith(f"{address}/")
        assert firefox.evaluate(f"fetch('{link}').then((answer) => answer.ok)"), link
    firefox.go(next(link for link in links if link.endswith("/report")))
    assert firefox.evaluate(PICTURES) == 8
    assert firefox.evaluate("document.querySelector('dl a').href == location.href")
    firefox.go(f"{address}/analyses")
    assert firefox.evaluate("document.querySelectorAll('tbody tr').length") == 1


def test_the_interface_is_shown(firefox: Firefox, address: str) -> None:
    firefox.go(f"{address}/docs")
    firefox.wait_for("document.querySelectorAll('.opblock').length > 15")
