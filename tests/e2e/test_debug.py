"""debug: of an exporter, switched on while it runs."""

import json

import net
from test_exporters_api import UP, exporter, play
from test_overrides import change


def log_lines(program, words):
    return [line for line in program.process.log().splitlines() if words in line]


def test_exports_are_traced_and_measured(scene, start_telex):
    program = play(scene, start_telex)
    assert exporter(program, "hook")["performance"] is None
    everything = {"trace_exports": True, "log_payloads": True, "measure_performance": True, "validate_schemas": True}
    assert change(program, "hook", {"debug": everything}).status == 200
    scene.vectors["plain"] = [({"instance": "a", "api_key": "abc", "link": "http://me:pw@host/?token=abc"}, 1.5)]
    scene.wait_states("firing")
    net.wait_until("a line", lambda: log_lines(program, "msg=exported"))
    line, = log_lines(program, "msg=exported")
    assert "exporter=hook records=1 settled=1" in line and "status=200 requests=1" in line
    payload, = log_lines(program, "msg=payload")
    assert "Plain" in payload and "[redacted]" in payload and "abc" not in payload and "pw@" not in payload
    measured = exporter(program, "hook")["performance"]
    assert measured["requests"] == 1 and measured["send_seconds"] > 0
    assert set(measured) == {"requests", "encode_seconds", "compress_seconds", "send_seconds", "judge_seconds"}
    assert program.metrics()["telex_exporter_schema_errors_total"][("exporter=hook",)] == 0
    assert change(program, "hook", {"debug": None}).status == 200
    scene.vectors["plain"] = []
    scene.wait_states("firing", "resolved")
    assert len(log_lines(program, "msg=exported")) == 1
    assert exporter(program, "hook")["performance"] is None


def test_what_all_kinds_send_is_right(scene, start_telex, start_webhook, tmp_path):
    program = play(scene, start_telex, hook={"type": "webhook", "url": scene.hook.url,
                                             "debug": {"validate_schemas": True, "refuse_invalid": True}})
    scene.vectors["plain"] = [({"instance": f"i {n}, =", "odd": "a\\\"b\n"}, n / 3) for n in range(50)]
    net.wait_until("all", lambda: len(scene.hook.accepted()) == 50)
    found = exporter(program, "hook")
    assert found["dead_letters"] == 0
    assert json.loads(program.get("/api/v1/exporters").body)["status"] == "success"
