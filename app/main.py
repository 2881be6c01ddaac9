"""create_app(settings): builds everything once, in lifespan; importing this does no work."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from tempfile import gettempdir

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from app import __version__
from app.adapters.bundle.store import Bundle, load_bundle
from app.adapters.machine.background import Background
from app.adapters.machine.memory import TIDY_S, return_unused
from app.adapters.machine.room import check_room
from app.adapters.oidc import Issuer
from app.adapters.reading.objects import Instructions
from app.adapters.reading.readers import Readers
from app.adapters.screens.text_reader import is_installed
from app.adapters.storage.api_keys import ApiKeys
from app.adapters.storage.audit_trail import AuditTrail
from app.adapters.storage.database import Database
from app.adapters.storage.pulse import INTERVAL_S as PULSE_S
from app.adapters.storage.pulse import Pulse
from app.adapters.storage.refusals import LOOKED_AT_EVERY_S, Refusals
from app.adapters.storage.repository import AnalysisRepository
from app.adapters.storage.retention import Retention
from app.adapters.storage.sessions import Sessions
from app.adapters.storage.study_repository import StudyRepository
from app.adapters.telemetry.metrics import Metrics
from app.adapters.telemetry.traces import tracing
from app.api import analyses, audit, documentation, pages, previews, reports, results, sign_in, stow, studies, system
from app.api.access import AccessControl, Gatekeeper, add_security
from app.api.addresses import Addresses, check_free
from app.api.limits import HeadAsGet, UploadLimits
from app.api.observation import Observation
from app.api.problems import STATUS, add_problem_schema, install_problem_handlers
from app.api.runtime import Runtime
from app.api.security_headers import SecurityHeaders
from app.api.senders import BodyBounds
from app.core.access import SIGN_IN
from app.core.errors import BundleError, StorageUnavailable
from app.core.naming import ViewRule, compile_rules
from app.core.notices import NOTICE
from app.core.scanners import OTHER
from app.core.screens.values import ScreenPolicy
from app.housekeeping import INTERVAL_S as HOUSEKEEPING_S
from app.housekeeping import Housekeeping
from app.service import MAX_READERS, AnalysisService
from app.settings import MIB, Settings, read_view_rules
from app.studies import StudyService

logger = logging.getLogger(__name__)

_MODULES = (analyses, previews, results, reports, studies, stow, pages, sign_in, audit, system, documentation)
ROUTERS = tuple(module.router for module in _MODULES)

DESCRIPTION = f"""
Estimates liver fat (PDFF, %) from four B-mode ultrasound views of one liver, after Byra et al. 2021
([doi 10.1002/jum.15693](https://doi.org/10.1002/jum.15693)).

**{NOTICE}** The method is known to underestimate PDFF above 30 %.

To try it: open `POST /v1/analyses`, press *Try it out*, choose one DICOM file a view, press *Execute*.
"""


def create_app(settings: Settings, bundle: Callable[[], Bundle] | None = None) -> FastAPI:
    """Put the service together.

    Parameters
    ----------
    settings : Settings
    bundle : callable, optional
        Gives the verified bundle, which may be loading already, or raises `BundleError`; by default it is loaded when
        the application starts.

    Returns
    -------
    FastAPI
        It opens the database and verifies the bundle when it starts. A bundle that fails keeps it from being
        ready, not from saying why.
    """
    view_rules = read_view_rules(settings.view_rules, settings.languages)
    compile_rules(view_rules)
    metrics = Metrics()
    metrics.announce((error.code for error in STATUS), [*settings.scanners, OTHER])

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with tracing(wanted=settings.traces), Database(settings.database_url) as database:
            app.state.runtime = runtime = build_runtime(settings, database, metrics, view_rules, bundle)
            house, background = keep_house(runtime, settings), runtime.background
            with (
                closing(runtime),
                background.task("pulse", runtime.pulse.feel, PULSE_S, retry_s=PULSE_S),
                background.task("housekeeping", house.work, HOUSEKEEPING_S),
                background.task("refusals", runtime.refusals.write_due, LOOKED_AT_EVERY_S),
                background.task("memory", return_unused, TIDY_S),
            ):
                yield
            del app.state.runtime  # FastAPI's caches keep stopped applications; this frees the weights

    app = FastAPI(
        title="liver-pdff",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # app.api.documentation has them
        redoc_url=None,
    )
    app.add_middleware(
        UploadLimits,
        metrics=metrics,
        max_in_flight=settings.max_in_flight,
        first_byte_s=settings.head_timeout_s,
        bounds=_body_bounds(settings),
    )
    routes = [route for router in ROUTERS for route in router.routes]
    app.add_middleware(AccessControl, metrics=metrics, routes=routes)
    app.add_middleware(HeadAsGet)
    app.add_middleware(Addresses, metrics=metrics, public=settings.address, proxies=settings.proxies)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Observation)
    install_problem_handlers(app, metrics)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(packages=[("app.api", "static")]))
    app.mount(documentation.FILES, documentation.SCRIPTS)
    check_free(settings.address.root_path, [*app.routes, *routes])
    add_problem_schema(app.openapi())
    add_security(app.openapi())
    return app


def build_runtime(
    settings: Settings,
    database: Database,
    metrics: Metrics,
    view_rules: Sequence[ViewRule],
    bundle: Callable[[], Bundle] | None = None,
) -> Runtime:
    """Open what lives as long as the process; an embedded database is brought up to date on the way.

    A database that does not answer yet keeps the service from being ready, as a bad bundle does.
    """
    if database.is_embedded:
        try:
            database.upgrade()
        except StorageUnavailable as error:
            logger.error("not ready: code=%s %s", error.code, error.__cause__)  # noqa: TRY400 - one line says it
    repository = AnalysisRepository(database.engine)
    load = bundle or (lambda: load_bundle(settings.bundle, settings.threads, settings.provider, settings.bundle_key))
    trail = AuditTrail(database.engine)
    service = _build_service(settings, load, repository, trail, metrics, view_rules)
    return Runtime(
        background=Background(metrics.background_failure),
        pulse=Pulse(lambda: check_storage(database)),  # after the bundle, so that its first check is recent
        repository=repository,
        metrics=metrics,
        service=service,
        received=StudyRepository(database.engine),
        audit=trail,
        refusals=Refusals(trail),
        retention=Retention(database.engine),
        gatekeeper=build_gatekeeper(settings, database),
        max_stow_parts=settings.max_stow_parts,
    )


def check_storage(database: Database) -> None:
    """Raise StorageUnavailable unless the database and the folder for large uploads can be written."""
    database.check()
    check_room(Path(gettempdir()), "temporary files")


def build_gatekeeper(settings: Settings, database: Database) -> Gatekeeper:
    """Decide who is asked for a key."""
    issuer = settings.issuer()
    return Gatekeeper(
        ApiKeys(database.engine),
        Sessions(database.engine, timedelta(hours=settings.session_hours)),
        Issuer(issuer) if issuer else None,
        is_open=settings.authentication == "off",
    )


def keep_house(runtime: Runtime, settings: Settings) -> Housekeeping:
    """Look after studies that fill up; without a bundle there is nothing to analyse them with."""
    studies = None
    if not isinstance(runtime.service, BundleError):
        studies = StudyService(runtime.service, runtime.received, runtime.metrics)
    return Housekeeping(
        runtime.retention,
        studies,
        unfinished=timedelta(hours=settings.unfinished_study_hours),
        kept=timedelta(days=settings.retention_days) if settings.retention_days else None,
    )


def _body_bounds(settings: Settings) -> dict[str, BodyBounds]:
    """Bound bodies: whole studies arrive by STOW-RS, four images by any other call."""
    return {
        stow.PREFIX: BodyBounds(settings.max_stow_mib * MIB, settings.stow_timeout_s, "Send fewer instances at once."),
        SIGN_IN: BodyBounds(sign_in.MAX_FORM_BYTES, settings.head_timeout_s, "Send the key alone."),
        "/": BodyBounds(
            settings.max_body_mib * MIB,
            settings.upload_timeout_s,
            "Send the four views of one study, a single frame each.",
        ),
    }


def screens_are_read(settings: Settings) -> bool:
    """Tell whether text on screens can name views; say so where it was wanted and cannot."""
    if settings.read_screens is ScreenPolicy.NEVER or is_installed():
        return settings.read_screens is not ScreenPolicy.NEVER
    logger.warning("screens are not read: pip install 'liver-pdff[screen]', or set LIVER_PDFF_READ_SCREENS=never")
    return False


def _build_service(
    settings: Settings,
    load: Callable[[], Bundle],
    repository: AnalysisRepository,
    trail: AuditTrail,
    metrics: Metrics,
    view_rules: Sequence[ViewRule],
) -> AnalysisService | BundleError:
    try:
        bundle = load()
    except BundleError as error:
        logger.error("not ready: code=%s %s", error.code, error.detail)  # noqa: TRY400 - the sentence says it all
        return error
    return_unused()
    metrics.bundle(bundle.identity)
    logger.info("bundle %s %s verified, sha256=%s", bundle.identity.name, bundle.identity.version, bundle.sha256)
    return AnalysisService(
        bundle,
        repository,
        trail,
        metrics,
        readers=Readers(
            min(settings.threads, MAX_READERS),
            metrics.lost_reader,
            Instructions(tuple(view_rules), settings.read_screens),
        ),
        view_rules=view_rules,
        screens_are_read=screens_are_read(settings),
        max_instance_bytes=settings.max_instance_mib * MIB,
        threads=settings.threads,
        scanners=settings.scanners,
    )
