"""What the endpoints share: the running service, or the reason why there is none.

The dependencies are coroutines: FastAPI would hand each plain function to another thread, at every call.
"""

import logging
from dataclasses import dataclass, field
from typing import Annotated, Final

from anyio import CapacityLimiter
from fastapi import Depends, Request

from app.adapters.machine.background import Background
from app.adapters.storage.audit_trail import AuditTrail
from app.adapters.storage.pulse import Pulse
from app.adapters.storage.refusals import Refusals
from app.adapters.storage.repository import AnalysisRepository
from app.adapters.storage.retention import Retention
from app.adapters.storage.study_repository import StudyRepository
from app.adapters.telemetry.metrics import Metrics
from app.api.access import Gatekeeper
from app.core.errors import AnalysisError, BundleError, StorageUnavailable
from app.service import AnalysisService
from app.studies import StudyService

logger = logging.getLogger(__name__)
RENDERINGS_AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Runtime:
    """Everything that lives as long as the process.

    Attributes
    ----------
    background : Background
        Tasks beside the requests.
    pulse : Pulse
        Of the database.
    repository : AnalysisRepository
    metrics : Metrics
    service : AnalysisService or BundleError
        The error that keeps the bundle from being used, if there is one: the process lives on and says so.
    received : StudyRepository
    audit : AuditTrail
    refusals : Refusals
    retention : Retention
    gatekeeper : Gatekeeper
    max_stow_parts : int
        Instances of one request.
    renderings : CapacityLimiter
        Places of those who draw an answer.
    """

    background: Background
    pulse: Pulse
    repository: AnalysisRepository
    metrics: Metrics
    service: AnalysisService | BundleError
    received: StudyRepository
    audit: AuditTrail
    refusals: Refusals
    retention: Retention
    gatekeeper: Gatekeeper
    max_stow_parts: int
    renderings: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(RENDERINGS_AT_ONCE))

    def close(self) -> None:
        """Stop what works in threads of its own, and write what is left to write."""
        try:
            self.refusals.write()
        except StorageUnavailable:
            logger.warning("refusals since the last record are not on the audit trail: the database does not answer")
        if isinstance(self.service, AnalysisService):
            self.service.close()

    def require_service(self) -> AnalysisService:
        """Give the service, or raise what keeps it from being ready."""
        if isinstance(self.service, AnalysisError):
            raise self.service.with_traceback(None)  # else each answer would hang its frames onto the one error
        return self.service


async def get_runtime(request: Request) -> Runtime:
    """Find the runtime that `app.main` has put into the application."""
    runtime = request.app.state.runtime
    assert isinstance(runtime, Runtime)  # noqa: S101 - set before the first request, in lifespan
    return runtime


async def get_service(runtime: Annotated[Runtime, Depends(get_runtime)]) -> AnalysisService:
    """Give the service to an endpoint that needs a verified bundle."""
    return runtime.require_service()


async def get_studies(runtime: Annotated[Runtime, Depends(get_runtime)]) -> StudyService:
    """Give the service that takes instances one by one."""
    return StudyService(runtime.require_service(), runtime.received, runtime.metrics)


async def get_repository(runtime: Annotated[Runtime, Depends(get_runtime)]) -> AnalysisRepository:
    """Give the stored analyses to an endpoint that only reads them: it works without a bundle."""
    return runtime.repository


async def get_audit_trail(runtime: Annotated[Runtime, Depends(get_runtime)]) -> AuditTrail:
    """Give the audit trail to an endpoint that tells something of a patient."""
    return runtime.audit


RuntimeDep = Annotated[Runtime, Depends(get_runtime)]
ServiceDep = Annotated[AnalysisService, Depends(get_service)]
StudiesDep = Annotated[StudyService, Depends(get_studies)]
AuditDep = Annotated[AuditTrail, Depends(get_audit_trail)]
RepositoryDep = Annotated[AnalysisRepository, Depends(get_repository)]
