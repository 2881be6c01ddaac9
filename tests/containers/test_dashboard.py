"""The dashboard and the alerts, asked of a real Prometheus that scrapes a real service."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from ruamel.yaml import YAML

from app.core.values import View
from tests.factories import ct_instance, four_view_study
from tests.stow import store
from training.demo import free_port, running_service, send

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "docker/grafana/liver-pdff.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
SCRAPES = 5
START_TIMEOUT_S = 30


@pytest.fixture(scope="module")
def prometheus(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A Prometheus with our alerts that has scraped a service at work."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed (Debian package prometheus)")
    folder = tmp_path_factory.mktemp("prometheus")
    database = f"sqlite:///{folder}/test.db"
    with running_service(bundle_folder, database, folder / "service.log") as service:
        port = free_port()
        write_configuration(folder, str(service.client.base_url.netloc, "ascii"))
        command = [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        command.append(f"--web.listen-address=127.0.0.1:{port}")
        with (folder / "prometheus.log").open("w") as log, subprocess.Popen(command, stderr=log) as process:
            try:
                with httpx2.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=10) as client:
                    work(service.client, client, folder)
                    yield client
            finally:
                process.terminate()


def write_configuration(folder: Path, target: str) -> None:
    """Take the shipped one, impatient, and without a key."""
    configuration = YAML(typ="safe").load(ROOT / "docker/prometheus/prometheus.yml")
    configuration["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(ROOT / "docker/prometheus/alerts.yml")]
    [job] = configuration["scrape_configs"]
    del job["authorization"]
    job["static_configs"] = [{"targets": [target]}]
    with (folder / "prometheus.yml").open("w") as file:
        YAML().dump(configuration, file)


def work(service: httpx2.Client, prometheus: httpx2.Client, folder: Path) -> None:
    """Send studies, good and bad, between scrapes."""
    wait_for_scrapes(prometheus, 1)
    for number in range(SCRAPES):
        paths = {view: folder / f"{view}.dcm" for view in View}
        for view, content in four_view_study(study=number, rows=240, columns=320).items():
            paths[view].write_bytes(content)
        send(service, paths)
        assert service.post("/v1/analyses", files={"instances": b"nothing"}).is_client_error
        store(service, [ct_instance()])
        wait_for_scrapes(prometheus, 1 + number)


def wait_for_scrapes(prometheus: httpx2.Client, count: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            if is_ready(prometheus):
                found = ask(prometheus, 'count_over_time(up{job="liver-pdff"}[5m])')
                if found and float(found[0]["value"][1]) > count:
                    return
        except httpx2.TransportError:
            pass  # not listening yet
        time.sleep(0.2)
    pytest.fail("Prometheus does not scrape")


def is_ready(prometheus: httpx2.Client) -> bool:
    """It listens before it answers."""
    return bool(prometheus.get(prometheus.base_url.copy_with(path="/-/ready")).is_success)


def ask(prometheus: httpx2.Client, query: str) -> list[Any]:
    answer = prometheus.get("/query", params={"query": query}).json()
    return list(answer["data"]["result"]) if answer["status"] == "success" else pytest.fail(f"{query}: {answer}")


@pytest.mark.real
@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_query_of_the_dashboard_is_answered(prometheus: httpx2.Client, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        query = target["expr"].replace("$__rate_interval", "10s").replace("$instance", ".*")
        assert "$" not in query
        found = ask(prometheus, query)
        assert found, query
        label = target["legendFormat"].strip("{}").split("}}")[0]
        if target["legendFormat"].startswith("{{"):
            assert all(label in each["metric"] for each in found), (query, label)


@pytest.mark.real
def test_every_alert_is_evaluated_and_none_fires_on_a_service_that_works(prometheus: httpx2.Client) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        [group] = prometheus.get("/rules").json()["data"]["groups"]
        if all(rule["health"] == "ok" for rule in group["rules"]):
            break
        time.sleep(0.2)
    assert {rule["health"] for rule in group["rules"]} == {"ok"}
    assert len(group["rules"]) >= 8
    assert [rule["name"] for rule in group["rules"] if rule["state"] == "firing"] == []


def test_every_panel_says_what_it_shows() -> None:
    assert len(PANELS) >= 15
    assert all(panel["description"] for panel in PANELS)
    places = [tuple(panel["gridPos"].values()) for panel in DASHBOARD["panels"]]
    assert len(places) == len(set(places))
