"""Everything through nginx, configured as docs/operate.md says, under /liver: in a real browser and on the wire."""

import io
import json
import re
import ssl
from collections.abc import Iterator, Mapping
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest
from playwright.sync_api import Page, expect

from app.core.values import View
from app.settings import Settings
from tests.browser.test_upload_page import PICTURES_ARE_THERE, analyse, choose
from tests.proxy import recipe, running_nginx, without_path
from tests.stow import CONTENT_TYPE, related
from training.demo import running_service
from training.phantom import write_study

pytestmark = pytest.mark.real
MIB = 1 << 20
SETTINGS = {"LIVER_PDFF_ROOT_PATH": "/liver", "LIVER_PDFF_TRUSTED_PROXIES": "127.0.0.1"}


@pytest.fixture(scope="module")
def service_port(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where the service itself listens."""
    folder = tmp_path_factory.mktemp("service")
    database, log = f"sqlite:///{folder}/test.db", folder / "service.log"
    with running_service(bundle_folder, database, log, environment=SETTINGS) as service:
        yield service.client.base_url.port or 80


@pytest.fixture(scope="module", params=[str, without_path], ids=["path left", "path taken away"])
def address(
    request: pytest.FixtureRequest, service_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """What people type."""
    with running_nginx(tmp_path_factory.mktemp("nginx"), service_port, request.param(recipe())) as proxied:
        yield proxied


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Mapping[View, Path]:
    return write_study(tmp_path_factory.mktemp("study"), 5, seed=77, pdff_percent=9)


@pytest.fixture
def client(address: str) -> Iterator[httpx2.Client]:
    """A client on the wire that takes the proxy's certificate as it is."""
    with httpx2.Client(verify=False, timeout=60) as client:
        yield client


def links(page: Page, within: str) -> list[str]:
    """Where the links of a part of a page lead."""
    found: list[str] = page.locator(f"{within} a").evaluate_all("links => links.map(link => link.href)")
    return found


def test_a_study_is_sent_and_everything_about_it_is_found(page: Page, address: str, study: Mapping[View, Path]) -> None:
    page.goto(f"{address}/")
    choose(page, *study.values())
    result = analyse(page)
    for target in ("pdff", "ge5", "ge10"):
        result.locator(f"input[name=target][value={target}]").check()
        assert page.evaluate(PICTURES_ARE_THERE)
    found = links(page, "#result")
    assert len(found) == 5 + 4  # forms of the answer, maps
    for link in [*found, *links(page, ".bar")]:
        assert link.startswith(f"{address}/")
        assert page.request.get(link).ok, link
    answer = page.request.get(result.get_by_role("link", name="JSON").evaluate("link => link.href")).json()
    for path in [*answer["dicom_urls"], answer["fhir_url"], *(view["tissue_url"] for view in answer["views"])]:
        assert page.request.get(urljoin(address, path)).ok, path


def test_the_report_leads_back_to_itself(page: Page, address: str, study: Mapping[View, Path]) -> None:
    page.goto(f"{address}/")
    choose(page, *study.values())
    with page.expect_navigation():
        analyse(page).get_by_role("link", name="Report to print").click()
    assert page.evaluate(PICTURES_ARE_THERE)
    assert links(page, "dl") == [page.url]
    printed = page.request.get(f"{page.url}.pdf").body()
    assert re.findall(rb"/URI \((http[^)]*)\)", printed) == [page.url.encode()]
    with page.expect_navigation():
        page.locator("dl a").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_the_list_is_searched_and_leads_to_the_report(page: Page, address: str, study: Mapping[View, Path]) -> None:
    page.goto(f"{address}/")
    choose(page, *study.values())
    analyse(page)
    with page.expect_navigation():
        page.get_by_role("link", name="Analyses").click()
    uid = page.locator("td.uid a").first.inner_text()
    page.get_by_label("Study Instance UID").fill(uid)
    with page.expect_navigation():
        page.get_by_role("button", name="Search").click()
    assert urlsplit(page.url).path == "/liver/analyses"
    for link in links(page, "body"):
        assert link.startswith(f"{address}/")
        assert page.request.get(link).ok, link
    with page.expect_navigation():
        page.get_by_role("link", name="Report").first.click()
    assert page.url.startswith(f"{address}/v1/analyses/")


def test_swagger_ui_sends_to_the_same_path(page: Page, address: str, study: Mapping[View, Path]) -> None:
    page.goto(f"{address}/docs")
    operation = page.locator("#operations-analyses-post_analysis_v1_analyses_post")
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Try it out").click()
    for picker, path in zip(operation.locator("input[type=file]").all(), study.values(), strict=True):
        picker.set_input_files(path)
    operation.get_by_role("button", name="Execute").click()
    status = operation.locator(".live-responses-table .response-col_status").last
    expect(status).to_contain_text(re.compile("20[01]"), timeout=30_000)
    expect(operation.locator(".request-url")).to_contain_text(f"{address}/v1/analyses")


def test_redoc_is_shown(page: Page, address: str) -> None:
    page.goto(f"{address}/redoc")
    expect(page.get_by_role("heading", name="liver-pdff").first).to_be_visible(timeout=30_000)
    page.wait_for_load_state("networkidle")


def test_the_address_without_a_slash_is_the_page(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("heading", name="One study, four views")).to_be_visible()


def test_a_large_study_passes_while_it_arrives(client: httpx2.Client, address: str, study: Mapping[View, Path]) -> None:
    """Larger than a form may be; nothing of it lies on the proxy's disk."""
    images = related([path.read_bytes() for path in study.values()])
    bulk = b"--a-boundary.1\r\nContent-Type: application/octet-stream\r\n\r\n" + bytes(30 * MIB) + b"\r\n"

    def body() -> Iterator[bytes]:
        yield from (bulk for _ in range(5))
        yield images

    answer = client.post(f"{address}/dicom-web/studies", content=body(), headers={"Content-Type": CONTENT_TYPE})
    assert answer.status_code == 202
    assert len(answer.json()["00081199"]["Value"]) == 4
    assert len(answer.json()["0008119A"]["Value"]) == 5


@pytest.mark.parametrize(("mib", "speaks_json"), [(137, True), (141, False)])
def test_a_body_too_large_is_refused_by_the_service_or_before_it(address: str, mib: int, speaks_json: bool) -> None:
    host = urlsplit(address)
    assert host.hostname
    connection = HTTPSConnection(host.hostname, host.port, timeout=60, context=ssl._create_unverified_context())
    connection.putrequest("POST", "/liver/v1/analyses")
    connection.putheader("Content-Type", "multipart/form-data; boundary=b")
    connection.putheader("Content-Length", str(mib * MIB))
    connection.endheaders(io.BytesIO(bytes(mib * MIB)) if speaks_json else None)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status == 413
    if speaks_json:
        assert json.loads(content)["code"] == "upload_too_large"


def test_connections_to_the_service_are_kept(client: httpx2.Client, address: str, service_port: int) -> None:
    before = ended_connections(service_port)
    for _ in range(30):
        assert client.get(f"{address}/livez").is_success
    assert ended_connections(service_port) - before <= 1
    [kept_s] = re.findall(r"keepalive_timeout (\d+)s;", recipe())
    assert int(kept_s) < Settings().keep_alive_s


def ended_connections(port: int) -> int:
    """Connections to or from a port that one side has closed (proc(5): state 06 is TIME_WAIT)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ports = [{int(end.partition(":")[2], 16) for end in line[1:3]} for line in lines if line[3] == "06"]
    return sum(port in each for each in ports)


def test_what_the_client_says_of_itself_is_replaced(client: httpx2.Client, address: str) -> None:
    said = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    redirected = client.get(f"{address}/analyses/", headers=said)
    assert redirected.headers["location"] == f"{address}/analyses"
    assert redirected.headers["strict-transport-security"]
    client.get(f"{address}/v1/analyses", headers=said)
    trail = [json.loads(line) for line in client.get(f"{address}/v1/audit").text.splitlines()]
    assert {each["address"] for each in trail} == {"127.0.0.1"}


def test_timeouts_are_the_services() -> None:
    settings, text = Settings(), recipe()
    timeouts = re.findall(r"proxy_read_timeout (\d+)s", text)
    assert [int(each) for each in timeouts] == [120, settings.stow_timeout_s]
    sizes = re.findall(r"client_max_body_size (\d+)m", text)
    assert [
        0 < int(size) - mib < 5 for size, mib in zip(sizes, (settings.max_body_mib, settings.max_stow_mib), strict=True)
    ]
