"""What stands in docker/ and docker-compose.yml, checked without a container engine."""

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from app.adapters.telemetry.metrics import Metrics
from app.api.problems import STATUS
from app.core.values import BundleIdentity
from app.settings import Settings

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sysconfig.get_path("scripts"))


def assert_passes(*command: str | Path) -> None:
    """Run a checker in the repository's root; what it prints is the failure's text."""
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def compose() -> Any:
    """docker-compose.yml with its anchors merged."""
    return YAML(typ="safe").load(ROOT / "docker-compose.yml")


@pytest.mark.parametrize("dockerfile", ["docker/Dockerfile", "docker/orthanc/Dockerfile"])
def test_hadolint_finds_nothing_in_a_dockerfile(dockerfile: str) -> None:
    assert_passes(SCRIPTS / "hadolint", dockerfile)


def test_the_compose_file_follows_the_compose_specification() -> None:
    schema = ["--builtin-schema", "vendor.compose-spec"]
    assert_passes(sys.executable, "-m", "check_jsonschema", *schema, "docker-compose.yml")


def test_every_setting_may_stand_in_the_compose_files_env(compose: Any) -> None:
    """A name without a value is passed on where .env, or the shell, has it."""
    names = {f"LIVER_PDFF_{name.upper()}" for name in Settings.model_fields}
    for service in ("service", "migrate"):
        environment = compose["services"][service]["environment"]
        given = {name: value for name, value in environment.items() if name.startswith("LIVER_PDFF_")}
        assert set(given) == names
        fixed = [name for name, value in given.items() if value and not value.startswith(f"${{{name}:-")]
        assert fixed == ["LIVER_PDFF_PORT"]
    assert compose["services"]["service"]["ports"] == ["127.0.0.1:${LIVER_PDFF_PORT:-8000}:8000"]


def test_what_the_compose_file_sets_by_itself_is_taken(compose: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in compose["services"]["service"]["environment"].items():
        if value and name.startswith("LIVER_PDFF_") and ":-" in value:
            monkeypatch.setenv(name, value.partition(":-")[2].removesuffix("}"))
    settings = Settings()
    settings.check_exposure()
    assert (settings.host, settings.threads, settings.max_in_flight) == ("0.0.0.0", 2, 4)


@pytest.fixture
def promtool() -> str:
    """Prometheus's own checker."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    return found


@pytest.mark.real
def test_prometheus_accepts_its_configuration(promtool: str) -> None:
    assert_passes(promtool, "check", "config", "docker/prometheus/prometheus.yml")


@pytest.mark.real
def test_every_alert_fires_when_it_should(promtool: str) -> None:
    assert_passes(promtool, "test", "rules", "docker/prometheus/alerts_test.yml")


def test_every_alert_is_tested_and_says_what_to_do() -> None:
    rules = YAML(typ="safe").load(ROOT / "docker/prometheus/alerts.yml")["groups"][0]["rules"]
    tests = (ROOT / "docker/prometheus/alerts_test.yml").read_text()
    for rule in rules:
        assert rule["alert"] in tests
        assert {"summary", "action"} == rule["annotations"].keys()


def test_alerts_ask_for_what_the_service_has() -> None:
    metrics = Metrics()
    metrics.announce(error.code for error in STATUS)
    metrics.bundle(BundleIdentity("demo", "1.0.0", "0" * 64, synthetic=True, precision="fp32"))
    metrics.pdff(1.0)
    with metrics.stage("estimate"):
        pass
    rendered = metrics.render().decode()
    names = set(re.findall(r"^(liver_pdff_\w+)", rendered, re.MULTILINE))
    text = (ROOT / "docker/prometheus/alerts.yml").read_text()
    asked = set(re.findall(r"\bliver_pdff_\w+", text))
    assert len(asked) >= 7
    assert asked <= names
    codes = {code for group in re.findall(r'code=~?"([^"]+)"', text) for code in group.split("|")}
    assert codes <= {error.code for error in STATUS}


@pytest.mark.real
def test_metrics_are_named_by_the_conventions(promtool: str) -> None:
    checked = subprocess.run([promtool, "check", "metrics"], input=Metrics().render(), capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_every_container_is_hardened_and_bounded(compose: Any) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert {"cpus", "mem_limit", "pids_limit"} <= service.keys(), name


def test_ports_are_published_on_this_machine_only(compose: Any) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", ())]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_password_has_a_default(compose: Any) -> None:
    passwords = [
        value
        for service in compose["services"].values()
        for key, value in service.get("environment", {}).items()
        if "PASSWORD" in key
    ]

    assert passwords
    assert all(re.match(r"\$\{(POSTGRES|ORTHANC)_PASSWORD:\?", value) for value in passwords)


def test_the_service_waits_for_the_migration(compose: Any) -> None:
    waits_for = compose["services"]["service"]["depends_on"]

    assert waits_for["migrate"] == {"condition": "service_completed_successfully"}
    assert waits_for["database"] == {"condition": "service_healthy"}


def test_the_bridges_address_is_the_services_own(compose: Any) -> None:
    """And the image holds what Orthanc's configuration names."""
    assert compose["services"]["orthanc"]["environment"]["LIVER_PDFF_URL"] == "http://service:8000"
    dockerfile = (ROOT / "docker/orthanc/Dockerfile").read_text()
    configuration = (ROOT / "docker/orthanc/orthanc.json").read_text()
    [folder] = re.findall(r'"PythonScript": "(.*)/plugin.py"', configuration)
    assert f"COPY plugin.py orthanc.json {folder}/" in dockerfile
    assert f"COPY liver_pdff_bridge {folder}/liver_pdff_bridge" in dockerfile


def test_another_key_can_be_mounted_where_the_scraper_looks(compose: Any) -> None:
    config = YAML(typ="safe").load(ROOT / "docker/prometheus/prometheus.yml")
    name = config["scrape_configs"][0]["authorization"]["credentials_file"]
    default = f"docker/prometheus/{name}"
    mounts = compose["services"]["prometheus"]["volumes"]

    assert f"${{METRICS_KEY_FILE:-./{default}}}:/etc/prometheus/{name}:ro" in mounts
    assert (ROOT / default).exists()


def test_the_scraped_address_is_the_services_own(compose: Any) -> None:
    config = YAML(typ="safe").load(ROOT / "docker/prometheus/prometheus.yml")
    [target] = config["scrape_configs"][0]["static_configs"][0]["targets"]
    name, port = target.split(":")

    assert compose["services"][name]["ports"] == [f"127.0.0.1:${{LIVER_PDFF_PORT:-8000}}:{port}"]
