"""libtelex for Python, by ctypes: the classes of the exporter abstraction over the C library.

    hub = Hub()
    register_profiling(hub, exporters=[PrometheusExporter(pushgateway_url="http://127.0.0.1:9091", job_name="app")])
    hub.export_metrics({"messages_per_second": 14000.0}, labels={"service": "api"})
    hub.close()

A ProfilingExporter is an exporter of a hub; one that is not registered opens a hub of its own with its first use.
Calls that hand over records never wait; export_metrics(..., wait_ms=...) waits for the destination.
"""
import ctypes
import ctypes.util
import json
import os
from dataclasses import dataclass, field

MESSAGE_BYTES = 1008


def load():
    """The library named by TELEX_LIBRARY, else the installed one."""
    return ctypes.CDLL(os.environ.get("TELEX_LIBRARY") or ctypes.util.find_library("telex") or "libtelex.so.0")


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int32), ("line", ctypes.c_uint32), ("column", ctypes.c_uint32),
                ("reserved", ctypes.c_uint32), ("message", ctypes.c_char * MESSAGE_BYTES)]


class Value(ctypes.Union):
    _fields_ = [("number", ctypes.c_double), ("integer", ctypes.c_int64), ("text", ctypes.c_char_p)]


class Field(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("type", ctypes.c_uint32), ("reserved", ctypes.c_uint32), ("value", Value)]


class Label(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("value", ctypes.c_char_p)]


class Metrics(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("time_ns", ctypes.c_int64), ("name", ctypes.c_char_p),
                ("fields", ctypes.POINTER(Field)), ("field_count", ctypes.c_size_t),
                ("labels", ctypes.POINTER(Label)), ("label_count", ctypes.c_size_t)]


class SpanIds(ctypes.Structure):
    _fields_ = [("trace_id", ctypes.c_uint8 * 16), ("span_id", ctypes.c_uint8 * 8), ("parent_id", ctypes.c_uint8 * 8)]


class Span(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("function_name", ctypes.c_char_p), ("start_ns", ctypes.c_int64),
                ("duration_ns", ctypes.c_int64), ("ids", SpanIds), ("kind", ctypes.c_uint32),
                ("status", ctypes.c_uint32), ("status_message", ctypes.c_char_p), ("fields", ctypes.POINTER(Field)),
                ("field_count", ctypes.c_size_t), ("labels", ctypes.POINTER(Label)), ("label_count", ctypes.c_size_t)]


class Health(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("is_healthy", ctypes.c_uint32), ("reserved", ctypes.c_uint32),
                ("state", ctypes.c_char * 16), ("breaker", ctypes.c_char * 16), ("error", ctypes.c_char * 256)]


class Result(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("success", ctypes.c_uint32), ("reserved", ctypes.c_uint32),
                ("exported_count", ctypes.c_uint64), ("response_time_ms", ctypes.c_double),
                ("time_ns", ctypes.c_int64), ("error", ctypes.c_char * 256)]


class BufferStats(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("usage_percent", ctypes.c_double),
                ("avg_flush_time_ms", ctypes.c_double), ("pending_batches", ctypes.c_uint64),
                ("pending_bytes", ctypes.c_uint64), ("gathered_records", ctypes.c_uint64),
                ("flushes", ctypes.c_uint64), ("delivered_records", ctypes.c_uint64),
                ("rejected_records", ctypes.c_uint64), ("retries", ctypes.c_uint64)]


class TelexError(Exception):
    """What the library says went wrong."""


@dataclass
class ExportResult:
    success: bool
    exported_count: int = 0
    response_time_ms: float = 0.0
    error: str = ""


@dataclass
class HealthStatus:
    healthy: bool
    error_message: str = ""

    def is_healthy(self):
        return self.healthy


@dataclass
class ProfileTrace:
    function_name: str
    execution_time_ms: float
    memory_usage_mb: float = None
    parent: object = None                       # the ProfileTrace that it is part of
    ids: object = field(default=None, repr=False)


class ExporterConfig:
    """Options of one exporter, under the names of its page in docs/exporters."""

    def __init__(self, name, type="webhook", auth=None, **options):
        self.name, self.options, self.env = name, {"type": type, **options}, None
        self.options.update(auth or {})

    @classmethod
    def from_env(cls, prefix, required_fields=(), name="exporter"):
        config = cls(name)
        config.env = (prefix, list(required_fields))
        return config


class Library:
    """The functions of libtelex, with errors as exceptions."""

    def __init__(self):
        self.lib = load()
        self.lib.telex_config_new.restype = ctypes.c_void_p
        self.lib.telex_hub_config.restype = ctypes.c_void_p
        self.lib.telex_filtered_count.restype = ctypes.c_uint64
        self.lib.telex_code_name.restype = ctypes.c_char_p

    def call(self, name, *args):
        """For functions whose last argument is an error."""
        error = Error()
        if getattr(self.lib, name)(*args, ctypes.byref(error)) != 0:
            raise TelexError(error.message.decode())

    def look(self, name, hub, exporter, kind):
        ret = kind(struct_size=ctypes.sizeof(kind))
        code = getattr(self.lib, name)(hub, exporter.encode() if exporter else None, ctypes.byref(ret))
        if code != 0:
            raise TelexError("%s: %s" % (exporter, self.lib.telex_code_name(code).decode()))
        return ret


def fields_of(values):
    array = (Field * len(values))()
    for at, (name, value) in enumerate(values.items()):
        array[at].name = name.encode()
        if isinstance(value, bool):
            array[at].type, array[at].value.integer = 3, value
        elif isinstance(value, int):
            array[at].type, array[at].value.integer = 1, value
        elif isinstance(value, float):
            array[at].type, array[at].value.number = 0, value
        else:
            array[at].type, array[at].value.text = 2, str(value).encode()
    return array


def labels_of(labels):
    return (Label * len(labels))(*[Label(n.encode(), str(v).encode()) for n, v in labels.items()])


def path_of(name, option):
    return ("exporters.%s.%s" % (name.replace("\\", "\\\\").replace(".", "\\."), option)).encode()


class Hub:
    """What exporters are registered on and records are given to."""

    def __init__(self, state_path=None):
        self.library, self.hub = Library(), None
        self.config = ctypes.c_void_p(self.library.lib.telex_config_new())
        if state_path:
            self.library.call("telex_config_set", self.config, b"state.path", state_path.encode())

    def add(self, config):
        """Registers an exporter; before the first record."""
        if config.env:
            prefix, required = config.env
            names = (ctypes.c_char_p * (len(required) + 1))(*[r.encode() for r in required], None)
            self.library.call("telex_config_from_env", self.config, config.name.encode(), prefix.encode(), names)
            return
        for option, value in config.options.items():        # JSON is YAML
            self.library.call("telex_config_set_yaml", self.config, path_of(config.name, option),
                              json.dumps(value).encode())

    def handle(self):
        if self.hub is None:
            hub = ctypes.c_void_p()
            self.library.call("telex_open", self.config, ctypes.byref(hub))
            self.hub = hub
        return self.hub

    def export_metrics(self, values, labels=None, name=None, wait_ms=0, exporter=None):
        fields, pairs = fields_of(values), labels_of(labels or {})
        metrics = Metrics(ctypes.sizeof(Metrics), 0, name.encode() if name else None, fields, len(fields), pairs,
                          len(pairs))
        return self.given(self.library.lib.telex_metrics(self.handle(), ctypes.byref(metrics)), 1, wait_ms, exporter)

    def ids_of(self, trace):
        if trace.ids is None:
            parent = self.ids_of(trace.parent) if trace.parent else None
            trace.ids = SpanIds()
            self.library.lib.telex_span_ids(self.handle(), ctypes.byref(parent) if parent else None,
                                            ctypes.byref(trace.ids))
        return trace.ids

    def export_traces(self, traces, wait_ms=0, exporter=None):
        code = 0
        for trace in traces:
            memory = {} if trace.memory_usage_mb is None else {"memory_usage_mb": float(trace.memory_usage_mb)}
            fields = fields_of(memory)
            span = Span(ctypes.sizeof(Span), trace.function_name.encode(), 0, int(trace.execution_time_ms * 1e6),
                        self.ids_of(trace), 0, 0, None, fields, len(fields), None, 0)
            code = code or self.library.lib.telex_trace(self.handle(), ctypes.byref(span))
        return self.given(code, len(traces), wait_ms, exporter)

    def given(self, code, count, wait_ms, exporter):
        if code != 0:
            return ExportResult(False, error=self.library.lib.telex_code_name(code).decode())
        if wait_ms == 0:
            return ExportResult(True, count)
        try:
            self.library.call("telex_flush", self.handle(), ctypes.c_int64(wait_ms))
        except TelexError as late:
            return ExportResult(False, error=str(late))
        return self.last_result(exporter)

    def last_result(self, exporter=None):
        r = self.library.look("telex_last_result", self.handle(), exporter, Result)
        return ExportResult(bool(r.success), r.exported_count, r.response_time_ms, r.error.decode())

    def enable_debug_mode(self, trace_exports=False, log_payloads=False, measure_performance=False,
                          validate_schemas=False):
        flags = trace_exports | log_payloads << 1 | measure_performance << 2 | validate_schemas << 3
        self.library.call("telex_debug_mode", self.handle(), ctypes.c_uint32(flags))

    def close(self, timeout_ms=5000):
        """What was not delivered raises."""
        hub, self.hub = self.hub, None
        config, self.config = self.config, None
        if config:
            self.library.lib.telex_config_free(config)
        if hub:
            self.library.call("telex_close", hub, ctypes.c_int64(timeout_ms), None)


class ProfilingExporter:
    """One exporter: a kind by its name, options as keywords or an ExporterConfig."""

    type = "webhook"

    def __init__(self, config=None, name=None, **options):
        self.config = config or ExporterConfig(name or self.type, self.type, **options)
        self.hub = None

    def own_hub(self):
        if self.hub is None:
            register_profiling(Hub(), exporters=[self])
        return self.hub

    def export_metrics(self, values, labels=None, wait_ms=5000):
        return self.own_hub().export_metrics(values, labels, wait_ms=wait_ms, exporter=self.config.name)

    def export_traces(self, traces, wait_ms=5000):
        return self.own_hub().export_traces(traces, wait_ms=wait_ms, exporter=self.config.name)

    def health_check(self):
        hub = self.own_hub()
        h = hub.library.look("telex_health", hub.handle(), self.config.name, Health)
        return HealthStatus(bool(h.is_healthy), h.error.decode())

    def buffer_stats(self):
        hub = self.own_hub()
        return hub.library.look("telex_buffer_stats", hub.handle(), self.config.name, BufferStats)

    def get_last_export_result(self):
        return self.own_hub().last_result(self.config.name)

    def get_filtered_metrics_count(self):
        return self.own_hub().library.lib.telex_filtered_count(self.own_hub().handle())

    def update_config(self, **options):
        """All options, or none when one of them is wrong."""
        hub = self.own_hub()
        handle, library = hub.handle(), hub.library
        config = ctypes.c_void_p(library.lib.telex_hub_config(handle))
        try:
            for option, value in options.items():
                library.call("telex_config_set_yaml", config, path_of(self.config.name, option),
                             json.dumps(value).encode())
            library.call("telex_update", handle, config)
        finally:
            library.lib.telex_config_free(config)

    def close(self, timeout_ms=5000):
        if self.hub is not None:
            self.hub.close(timeout_ms)


def kind(name):
    return type(name, (ProfilingExporter,), {"type": name})


class PrometheusExporter(ProfilingExporter):
    type = "prometheus"


class OpenTelemetryExporter(ProfilingExporter):
    type = "otlp"


class DatadogExporter(ProfilingExporter):
    type = "datadog"


class NewRelicExporter(ProfilingExporter):
    type = "newrelic"


class FileExporter(ProfilingExporter):
    type = "file"


def register_profiling(hub, exporters):
    for exporter in exporters:
        hub.add(exporter.config)
        exporter.hub = hub


def enable_debug_mode(hub, **flags):
    hub.enable_debug_mode(**flags)
