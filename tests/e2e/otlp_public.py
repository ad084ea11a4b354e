"""OTLP read with the public protos (opentelemetry-proto), as dicts with the names of the JSON form.

Unlike otlp.py nothing of this is ours but the walk over the fields: types, numbers, what is a list or a oneof and what is no
UTF-8 are the public package's business. A field that it does not know is an error. It must be importable: opentelemetry_peer.py
runs where it is installed, tests of this process call `use()`.
"""

import base64
import gzip
import json
import sys

PACKAGES = ("opentelemetry-proto==1.45.2", "opentelemetry-sdk==1.45.2", "opentelemetry-exporter-otlp-proto-http==1.45.2",
            "opentelemetry-exporter-otlp-proto-grpc==1.45.2", "grpcio==1.85.1", "protobuf==7.36.2")
IDS = ("trace_id", "span_id", "parent_span_id")
JSON_IDS = ("traceId", "spanId", "parentSpanId")


def use():
    """Makes the packages importable here; skips the test when they are not to be had."""
    import pypi  # pylint: disable=import-outside-toplevel

    site = str(next((pypi.interpreter(*PACKAGES).parents[1] / "lib").glob("python3*")) / "site-packages")
    sys.path.insert(0, site)
    try:
        modules()
    finally:
        sys.path.remove(site)  # nothing else of it is to stand before what the system has


def modules():
    # pylint: disable=import-outside-toplevel,import-error
    from google.protobuf import json_format, message, unknown_fields
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

    types = {"metrics": metrics_service_pb2.ExportMetricsServiceRequest, "traces": trace_service_pb2.ExportTraceServiceRequest}
    return types, json_format, message, unknown_fields


def to_dict(message):
    """What is set in a message; ids as hex, other bytes too."""
    unknown = [field.field_number for field in modules()[3].UnknownFieldSet(message)]
    if unknown:
        raise ValueError(f"{message.DESCRIPTOR.full_name} has no fields {unknown}")
    out = {}
    for field, value in message.ListFields():
        def plain(one, field=field):
            if field.type == field.TYPE_MESSAGE:
                return to_dict(one)
            return one.hex() if isinstance(one, bytes) else one

        out[field.json_name] = [plain(one) for one in value] if field.is_repeated else plain(value)
    return out


def decode(signal, data):
    types, _, messages, _ = modules()
    message = types[signal]()
    try:
        message.ParseFromString(data)
    except messages.DecodeError as error:
        raise ValueError(str(error)) from error
    return to_dict(message)


def _ids_as_json_has_them(node):
    """OTLP writes ids as hex where JSON of protobuf has base64."""
    if isinstance(node, dict):
        return {name: base64.b64encode(bytes.fromhex(value)).decode() if name in JSON_IDS and isinstance(value, str)
                else _ids_as_json_has_them(value) for name, value in node.items()}
    return [_ids_as_json_has_them(one) for one in node] if isinstance(node, list) else node


def from_json(signal, data):
    types, json_format, _, _ = modules()
    try:
        return to_dict(json_format.ParseDict(_ids_as_json_has_them(json.loads(data)), types[signal]()))
    except json_format.ParseError as error:
        raise ValueError(str(error)) from error


def read(signal, content_type, encoding, body):
    """A request's body as it came over HTTP."""
    body = gzip.decompress(body) if encoding == "gzip" else body
    return (decode if content_type == "application/x-protobuf" else from_json)(signal, body)
