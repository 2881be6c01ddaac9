"""/livez, /readyz, /metrics and /v1/bundle."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from app.adapters.storage.database import RETRY_AFTER_S
from app.adapters.telemetry.metrics import CONTENT_TYPE_LATEST
from app.api.problems import problem_responses
from app.api.runtime import RuntimeDep, ServiceDep
from app.api.schemas import BundleDescription, BundleOut, Health, Readiness
from app.core.errors import StorageUnavailable

router = APIRouter(tags=["system"])


@router.get("/livez", summary="The process lives")
async def livez() -> Health:
    """Answer at once, whatever else the process computes."""
    return Health(status="alive")


@router.get(
    "/readyz",
    summary="Studies can be analysed",
    response_model_exclude_defaults=True,
    responses=problem_responses(503),
)
async def readyz(runtime: RuntimeDep) -> Readiness:
    """Answer 200 when the database answers and the bundle has reproduced its golden answer.

    `degraded` names background tasks that keep failing although studies are answered.
    """
    runtime.require_service()
    broken = runtime.background.broken()
    if "pulse" in broken:
        raise StorageUnavailable(
            "The background task `pulse`, which asks the database, keeps failing. The service's log names the cause.",
            retry_after_s=RETRY_AFTER_S,
        )
    runtime.pulse.require()
    return Readiness(status="ready", degraded=broken)


@router.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse)
def metrics(runtime: RuntimeDep) -> Response:
    """Give all metrics in Prometheus's text format."""
    return Response(runtime.metrics.render(), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/bundle", summary="The bundle: model card and hashes", responses=problem_responses(503))
def get_bundle(service: ServiceDep) -> BundleDescription:
    """Describe the bundle that answers."""
    bundle = service.bundle
    return BundleDescription(
        **BundleOut.model_validate(bundle.identity).model_dump(),
        manifest=bundle.manifest.model_dump(mode="json"),
        model_card=bundle.model_card,
        screens_are_read=service.screens_are_read,
    )
