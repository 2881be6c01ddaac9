"""The manifests as kustomize writes them, validated strictly: a field that the API does not know is an error."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from app.settings import Settings, unknown_settings

ROOT = Path(__file__).parents[2]
VERSIONS = ("1.30", "1.34", kubernetes_validate.latest_version())
POD_KINDS = ("Deployment", "Job")

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def manifests() -> dict[str, Any]:
    """Every object by its kind."""
    return kustomized("docker/kubernetes")


def kustomized(folder: str) -> dict[str, Any]:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed (Debian package kubernetes-client)")
    command = ["kubectl", "kustomize", str(ROOT / folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {each["kind"]: each for each in YAML(typ="safe").load_all(done.stdout)}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid(manifests: Mapping[str, Any], version: str) -> None:
    assert {*POD_KINDS, "HorizontalPodAutoscaler", "NetworkPolicy", "Service", "ConfigMap"} <= manifests.keys()
    for manifest in manifests.values():
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_misspelt_field_would_be_found(manifests: Mapping[str, Any]) -> None:
    misspelt = deepcopy(manifests["Deployment"])
    misspelt["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(misspelt, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("kind", POD_KINDS)
def test_every_container_is_hardened_and_bounded(manifests: Mapping[str, Any], kind: str) -> None:
    pod = manifests[kind]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"].keys() == {"cpu", "memory"}


def test_pods_take_their_settings_from_the_generated_map(manifests: Mapping[str, Any]) -> None:
    name = manifests["ConfigMap"]["metadata"]["name"]
    for kind in POD_KINDS:
        [container] = manifests[kind]["spec"]["template"]["spec"]["containers"]
        assert {"configMapRef": {"name": name}} in container["envFrom"]


def test_the_settings_are_settings_and_ask_for_keys(manifests: Mapping[str, Any]) -> None:
    prefix = "LIVER_PDFF_"
    values = {name.removeprefix(prefix).lower(): value for name, value in manifests["ConfigMap"]["data"].items()}
    settings = Settings.model_validate(values)
    settings.check_exposure()
    assert settings.authentication == "required"
    [container] = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["cpu"] == str(settings.threads)
    [metric] = manifests["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert int(metric["pods"]["target"]["averageValue"]) < settings.max_in_flight


@pytest.mark.parametrize("kind", POD_KINDS)
def test_the_settings_hold_beside_what_kubernetes_adds(
    manifests: Mapping[str, Any], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Service's links are variables named after it: those of liver-pdff begin as our settings do."""
    pod, service = manifests[kind]["spec"]["template"]["spec"], manifests["Service"]
    for name in [each for each in os.environ if each.startswith("LIVER_PDFF_")]:
        monkeypatch.delenv(name)
    for name, value in {**manifests["ConfigMap"]["data"], **service_links(pod, service)}.items():
        monkeypatch.setenv(name, value)
    assert Settings().port == 8000
    assert unknown_settings() == []


def service_links(pod: Mapping[str, Any], service: Mapping[str, Any]) -> dict[str, str]:
    """What the kubelet sets of a Service (kubernetes.io: Service, environment variables)."""
    if not pod.get("enableServiceLinks", True):
        return {}
    name = service["metadata"]["name"].upper().replace("-", "_")
    [port] = [str(each["port"]) for each in service["spec"]["ports"]]
    return {
        f"{name}_SERVICE_HOST": "10.0.0.11",
        f"{name}_SERVICE_PORT": port,
        f"{name}_PORT": f"tcp://10.0.0.11:{port}",
    }


def test_policies_and_services_choose_the_pods(manifests: Mapping[str, Any]) -> None:
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    assert manifests["Service"]["spec"]["selector"].items() <= labels
    assert manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= labels
    policy = manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items()
    assert policy <= labels
    assert policy <= manifests["Job"]["spec"]["template"]["metadata"]["labels"].items()


def valid_settings(overlay: Mapping[str, Any], version: str) -> Settings:
    """Validate every manifest of an overlay, and give the settings in it."""
    for manifest in overlay.values():
        kubernetes_validate.validate(manifest, version, strict=True)
    said = overlay["ConfigMap"]["data"].items()
    return Settings.model_validate({name.removeprefix("LIVER_PDFF_").lower(): value for name, value in said})


@pytest.mark.parametrize("version", VERSIONS)
def test_an_overlay_offers_the_service_under_a_path(manifests: Mapping[str, Any], version: str) -> None:
    overlay = kustomized("docker/kubernetes-path")
    settings = valid_settings(overlay, version)
    [rule] = overlay["Ingress"]["spec"]["rules"]
    [path] = rule["http"]["paths"]
    assert (settings.address.authority, settings.address.root_path) == (rule["host"], path["path"])
    service = path["backend"]["service"]
    assert service["name"] == overlay["Service"]["metadata"]["name"]
    assert service["port"]["name"] in [port["name"] for port in overlay["Service"]["spec"]["ports"]]
    limits = overlay["Ingress"]["metadata"]["annotations"]
    assert int(limits["nginx.ingress.kubernetes.io/proxy-body-size"].rstrip("m")) > settings.max_stow_mib
    assert int(limits["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= settings.stow_timeout_s
    assert overlay["ConfigMap"]["data"].items() > manifests["ConfigMap"]["data"].items()


@pytest.mark.parametrize("version", VERSIONS)
def test_an_overlay_reaches_an_issuer_and_pins_the_image(manifests: Mapping[str, Any], version: str) -> None:
    overlay = kustomized("docker/kubernetes-issuer")
    settings = valid_settings(overlay, version)
    assert settings.issuer()
    *others, issuer = overlay["NetworkPolicy"]["spec"]["egress"]
    assert others == manifests["NetworkPolicy"]["spec"]["egress"]
    assert issuer["ports"] == [{"port": 443, "protocol": "TCP"}]
    for kind in ("Deployment", "Job"):
        [container] = overlay[kind]["spec"]["template"]["spec"]["containers"]
        assert re.fullmatch(r".+@sha256:[0-9a-f]{64}", container["image"])
