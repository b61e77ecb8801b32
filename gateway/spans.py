"""Traces: where a request's own span comes from, and who gets to see it.

Owns the use of OpenTelemetry, which is not even imported unless spans are sent somewhere. What stands in the
headers is the business of ``gateway.tracing``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from fishgate import __version__
from gateway.exchange import Exchange
from gateway.redaction import without_keys
from gateway.tracing import TraceParent, new_trace

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span


class Spans(Protocol):
    """Who gives a request its span."""

    def begin(self, name: str, parent: TraceParent | None) -> TraceParent:
        """Begin a span, in the client's trace if it told one; return where it stands."""

    def end(self, exchange: Exchange) -> None:
        """End the span of an exchange."""

    def close(self) -> None:
        """Send what was not sent yet."""


class NoSpans:
    """Hands the trace on and records nothing."""

    def begin(self, name: str, parent: TraceParent | None) -> TraceParent:
        """Return a new span of the client's trace, or of a new one."""
        return parent.child() if parent else new_trace()

    def end(self, exchange: Exchange) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class OpenTelemetrySpans:
    """Records each request with its stages and hands the spans to ``processor``."""

    def __init__(self, processor: SpanProcessor) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        resource = Resource.create({"service.name": "fishgate-gateway", "service.version": __version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("gateway")
        self._open: dict[str, Span] = {}

    def begin(self, name: str, parent: TraceParent | None) -> TraceParent:
        """Begin a span; it is recorded unless the client says that its trace is not."""
        from opentelemetry.trace import SpanKind

        span = self._tracer.start_span(name, context=_context(parent), kind=SpanKind.SERVER)
        told = span.get_span_context()
        trace = TraceParent(f"{told.trace_id:032x}", f"{told.span_id:016x}", told.trace_flags.sampled)
        if span.is_recording():
            self._open[trace.span_id] = span
        return trace

    def end(self, exchange: Exchange) -> None:
        """End the span, with a child for each stage."""
        span = self._open.pop(exchange.trace.span_id, None)
        if span is None:
            return
        for name, value in _attributes(exchange).items():
            span.set_attribute(name, value)
        self._end_stages(span, exchange)
        span.end()

    def close(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()

    def _end_stages(self, span: Span, exchange: Exchange) -> None:
        from opentelemetry.trace import set_span_in_context

        context = set_span_in_context(span)
        monotonic_to_unix_s = time.time() - time.monotonic()
        for name, seconds, ended_s in exchange.stages:
            ended_unix_s = ended_s + monotonic_to_unix_s
            stage = self._tracer.start_span(name, context=context, start_time=_ns(ended_unix_s - seconds))
            stage.end(_ns(ended_unix_s))


def spans_to(endpoint: str | None) -> Spans:
    """Return spans that go to an OTLP collector, such as ``http://127.0.0.1:4318``; None sends none."""
    if endpoint is None:
        return NoSpans()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return OpenTelemetrySpans(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))


def _context(parent: TraceParent | None) -> Context:
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    if parent is None:
        return Context()
    told = SpanContext(
        int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=TraceFlags(parent.is_sampled)
    )
    return set_span_in_context(NonRecordingSpan(told), Context())


def _attributes(exchange: Exchange) -> dict[str, str | int | bool]:
    told: dict[str, str | int | bool | None] = {
        "http.request.method": exchange.method,
        "http.route": exchange.route,
        "http.response.status_code": exchange.status,
        "fishgate.code": exchange.code,
        "fishgate.request_id": without_keys(exchange.request_id),
        "fishgate.source": exchange.source,
        "fishgate.deferred": exchange.deferred,
    }
    return {name: value for name, value in told.items() if value is not None}


def _ns(unix_s: float) -> int:
    return int(unix_s * 1e9)
