"""Settings: the only reader of the environment."""

import json
import os
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.adapters.bundle.onnx_networks import Provider
from app.adapters.machine.cpus import usable_cpus
from app.adapters.oidc import IssuerSettings
from app.adapters.telemetry.logs import LogFormat
from app.core.addresses import PublicAddress, TrustedProxies, read_public_address
from app.core.naming import LANGUAGES, ViewRule, language_rules
from app.core.screens.values import ScreenPolicy
from app.core.values import View

MIB = 1 << 20


class Settings(BaseSettings):
    """What an operator may choose, each as ``LIVER_PDFF_NAME``."""

    model_config = SettingsConfigDict(env_prefix="LIVER_PDFF_", frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="Port to listen on.")
    database_url: str = Field("sqlite:///var/liver-pdff.db", description="SQLAlchemy URL: SQLite or PostgreSQL.")
    bundle: Path = Field(Path("models/demo/1.0.0"), description="Folder of the bundle that answers.")
    bundle_key: Path | None = Field(
        None, description="PEM file of an Ed25519 public key: a bundle that is not signed with it is refused."
    )
    threads: Annotated[int, Field(ge=1)] = Field(
        default_factory=usable_cpus,
        description="Pictures that go through the network at once, one thread each; by default this process's share of "
        "processors.",
    )
    provider: Provider = Field(
        "cpu", description="What computes the network: cpu, openvino or cuda (the latter two need another onnxruntime)."
    )
    max_in_flight: Annotated[int, Field(ge=1, le=64)] = Field(
        16, description="Studies analysed or waiting at once; one more is answered 503 with Retry-After."
    )
    max_instance_mib: Annotated[int, Field(ge=1)] = Field(32, description="Largest DICOM file accepted, MiB.")
    max_body_mib: Annotated[int, Field(ge=1)] = Field(136, description="Largest request body accepted, MiB.")
    max_stow_mib: Annotated[int, Field(ge=1)] = Field(
        4096, description="Largest body of instances sent by STOW-RS, MiB; a few instances are in memory at a time."
    )
    max_stow_parts: Annotated[int, Field(ge=1)] = Field(2000, description="Most instances in one STOW-RS request.")
    stow_timeout_s: Annotated[float, Field(gt=0)] = Field(600, description="Time for a STOW-RS body to arrive.")
    unfinished_study_hours: Annotated[float, Field(gt=0)] = Field(
        72, description="A study without all views is deleted so long after its last instance."
    )
    view_languages: str = Field(
        "en", description=f"Languages in which views are named, with commas: {', '.join(LANGUAGES)}."
    )
    view_rules: Path | None = Field(
        None,
        description="JSON file of this site's view rules (see docs/views.md), instead of those of the languages.",
    )
    read_screens: ScreenPolicy = Field(
        ScreenPolicy.UNNAMED,
        description="Screens whose text may name the view: never, unnamed (where neither sender nor attributes tell), "
        "always. Needs the extra `screen`.",
    )
    scanner_models: str = Field(
        "", description="Scanners that the metrics tell apart, by (0008,1090), with semicolons; the rest are `other`."
    )
    upload_timeout_s: Annotated[float, Field(gt=0)] = Field(60, description="Time for a request's body to arrive.")
    head_timeout_s: Annotated[float, Field(gt=0)] = Field(
        20, description="Time for a request's headers to arrive, and again for its body to begin."
    )
    keep_alive_s: Annotated[int, Field(gt=0)] = Field(
        75, description="Time until an idle connection is closed; proxies close theirs sooner."
    )
    retention_days: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Analyses are deleted so long after they were made, crops and all; by default never."
    )
    authentication: Literal["off", "required"] = Field(
        "off", description="required: every call but health and documentation needs a key or a token."
    )
    session_hours: Annotated[float, Field(gt=0)] = Field(
        10, description="Time until somebody who signed in on the page has to do so again."
    )
    open_to_the_network: bool = Field(
        False, description="Listen on other addresses than the loopback although authentication is off."
    )
    oidc_issuer: str = Field("", description="URL of an OpenID Connect issuer whose tokens are taken beside keys.")
    oidc_audience: str = Field("", description="What the tokens' `aud` must name.")
    oidc_jwks_url: str = Field("", description="The issuer's keys; by default its discovery document says where.")
    oidc_scope_claim: str = Field("scope", description="Claim with the scopes; dots lead into objects.")
    oidc_scope_prefix: str = Field("liver-pdff:", description="Stands before each scope in the claim.")
    oidc_max_hours: Annotated[float, Field(gt=0)] = Field(
        24, description="A token that is valid for longer than so many hours from now on is refused."
    )
    tls_certificate: Path | None = Field(None, description="PEM file of the certificate and its chain.")
    tls_key: Path | None = Field(None, description="PEM file of the certificate's key.")
    root_path: str = Field(
        "", description="Path under which a proxy offers the service: /liver. Requests come with it or without it."
    )
    public_url: str = Field(
        "",
        description="Address at which people reach the service: https://pacs.example.org/liver. All links lead there, "
        "whatever a request's Host header says; its path is the root path.",
    )
    trusted_proxies: str = Field(
        "127.0.0.1",
        description="Addresses and networks, with commas, of proxies whose X-Forwarded-For, -Host and -Proto count.",
    )
    dicomweb_authorization: str = Field(
        "", description="Authorization header for the archive that `liver-pdff score` asks.", repr=False
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Lowest level that is logged.")
    log_format: LogFormat = Field("text", description="text: a line to read; json: an object a line.")
    traces: bool = Field(
        False, description="Send spans by OTLP over HTTP, as the OTEL_* variables say (needs the extra `traces`)."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("LIVER_PDFF_TLS_CERTIFICATE and LIVER_PDFF_TLS_KEY go together")
        if bool(self.oidc_issuer) != bool(self.oidc_audience):
            raise ValueError("LIVER_PDFF_OIDC_ISSUER and LIVER_PDFF_OIDC_AUDIENCE go together")
        if self.oidc_issuer and self.authentication == "off":
            raise ValueError("LIVER_PDFF_OIDC_ISSUER does nothing while LIVER_PDFF_AUTHENTICATION is off")
        for url in filter(None, (self.oidc_issuer, self.oidc_jwks_url)):
            _check_safe(url)
        return self

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        read_public_address(self.public_url, self.root_path)
        return self

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, proxies: str) -> str:
        TrustedProxies.parse(proxies)
        return proxies

    @field_validator("view_languages")
    @classmethod
    def _known(cls, codes: str) -> str:
        language_rules(_codes(codes))
        return codes

    @property
    def languages(self) -> list[str]:
        """Codes of the languages in which views are named."""
        return _codes(self.view_languages)

    @property
    def scanners(self) -> list[str]:
        """Models of scanners that the metrics tell apart."""
        return [name for each in self.scanner_models.split(";") if (name := each.strip())]

    @property
    def address(self) -> PublicAddress:
        """Where people reach the service."""
        return read_public_address(self.public_url, self.root_path)

    @property
    def proxies(self) -> TrustedProxies:
        """Proxies whose word counts."""
        return TrustedProxies.parse(self.trusted_proxies)

    def check_exposure(self) -> None:
        """Raise ValueError where anybody on the network could do everything, unless that is what was said."""
        if self.authentication == "off" and not is_loopback(self.host) and not self.open_to_the_network:
            raise ValueError(
                f"Without authentication the service listens on the loopback only, not on {self.host}. Set "
                "LIVER_PDFF_AUTHENTICATION=required and make keys with `liver-pdff keys create`, or, where something "
                "else decides who reaches it, LIVER_PDFF_OPEN_TO_THE_NETWORK=true."
            )

    def issuer(self) -> IssuerSettings | None:
        """Say whose tokens are taken, if any are."""
        if not self.oidc_issuer:
            return None
        return IssuerSettings(
            issuer=self.oidc_issuer,
            audience=self.oidc_audience,
            jwks_url=self.oidc_jwks_url,
            scope_claim=self.oidc_scope_claim,
            scope_prefix=self.oidc_scope_prefix,
            max_hours=self.oidc_max_hours,
        )


def _codes(text: str) -> list[str]:
    return [code for each in text.split(",") if (code := each.strip().lower())]


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address; a name that is not localhost may be anywhere."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_safe(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ValueError("an OpenID Connect issuer is asked by https; by http on the loopback only")


def unknown_settings() -> list[str]:
    """Name variables that look like settings and are none: a misspelt one would be ignored silently."""
    prefix = Settings.model_config["env_prefix"]
    names = {f"{prefix}{name}".upper() for name in Settings.model_fields}
    return sorted(name for name in os.environ if name.upper().startswith(prefix) and name.upper() not in names)


class _ViewRuleEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")
    view: View | None
    pattern: str
    examination: bool = False


def read_view_rules(path: Path | None, languages: Iterable[str] = ("en",)) -> tuple[ViewRule, ...]:
    """Read a site's own view rules; without a file, those of its languages.

    A site's file replaces them: what it does not name is not recognised.

    Parameters
    ----------
    path : Path or None
    languages : iterable of str

    Returns
    -------
    tuple of ViewRule

    Raises
    ------
    ValueError
        If the file is not a list of view and pattern; if a pattern is not a regular expression, can never match or
        matches any text; or if there are no rules for a language.
    """
    if path is None:
        return language_rules(languages)
    entries = TypeAdapter(list[_ViewRuleEntry]).validate_python(json.loads(path.read_text(encoding="utf-8")))
    rules = tuple(ViewRule(entry.view, entry.pattern, entry.examination) for entry in entries)
    for rule in rules:
        rule.check()
    return rules
