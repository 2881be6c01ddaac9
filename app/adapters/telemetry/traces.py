"""Spans for a collector, if the operator wants them: OpenTelemetry's only door.

Our own, not those of the libraries' instrumentations: these would name addresses and statements, and with them studies.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from app import __version__

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_PARENT = "traceparent"
_tracer: "Tracer | None" = None


@contextmanager
def tracing(*, wanted: bool) -> Iterator[None]:
    """Send spans by OTLP over HTTP while the context lasts, as the OTEL_* variables say.

    Raises
    ------
    ValueError
        If OpenTelemetry is not installed.
    """
    global _tracer
    if not wanted:
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise ValueError(
            f"LIVER_PDFF_TRACES: {error.name} is not installed: pip install 'liver-pdff[traces]'"
        ) from error
    resource = Resource.create({"service.name": "liver-pdff", "service.version": __version__})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer("liver-pdff", __version__)
    try:
        yield
    finally:
        _tracer = None
        provider.shutdown()  # what waits is sent


def span(name: str) -> AbstractContextManager[Any]:
    """Time something as a part of what is being traced."""
    return _tracer.start_as_current_span(name) if _tracer else nullcontext()


@contextmanager
def request_span(method: str, headers: Mapping[str, str]) -> Iterator["RequestSpan"]:
    """Time a request, as a part of the sender's trace if it names one."""
    if _tracer is None:
        yield RequestSpan(None, method)
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = TraceContextTextMapPropagator().extract({_PARENT: headers.get(_PARENT, "")})
    with _tracer.start_as_current_span(method, parent, SpanKind.SERVER) as current:
        yield RequestSpan(current, method)


class RequestSpan:
    """The span of a request, which learns at the end what the request was."""

    def __init__(self, current: Any, method: str) -> None:
        self._current = current
        self._method = method

    def end(self, route: str, status: int) -> None:
        """Name it by the route's template: the address itself may name a study."""
        if self._current is None:
            return
        from opentelemetry.trace import StatusCode

        self._current.update_name(f"{self._method} {route}")
        self._current.set_attributes(
            {"http.request.method": self._method, "http.route": route, "http.response.status_code": status}
        )
        if status >= 500:
            self._current.set_status(StatusCode.ERROR)
