"""Profiles and spans in: what was acknowledged is on disk, is routed by its fields and comes back from the archive."""

import json
import subprocess

import net
from telex import BINARY, file_exporter, remote_write_exporter, webhook_exporter

PROFILE = {"messages_per_second": 14000, "avg_latency_ms": 120.5, "error_rate": 0.06, "host": "a", "up": True,
           "labels": {"service": "api"}}
SPANS = [{"function_name": "inner", "execution_time_ms": 10, "parent": "outer"},
         {"function_name": "outer", "execution_time_ms": 100, "memory_usage_mb": 8, "status": "error"}]


def config(folder, **sections):
    return {"receive": {"profiles": True}, "exporters": {"archive": file_exporter(folder)}, **sections}


def push(program, body, content_type="application/json"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return net.post(program.url + "/api/v1/profile", data, headers={"Content-Type": content_type})


def test_profiles_and_spans_come_to_the_archive(tmp_path, start_telex):
    program = start_telex(config(tmp_path / "out"))
    assert push(program, [PROFILE, *SPANS]).status == 204
    net.wait_until("the records", lambda: len(program.jsonl(tmp_path / "out")) == 3)
    profile, inner, outer = program.jsonl(tmp_path / "out")
    assert {name: profile[name] for name in PROFILE} == PROFILE
    assert inner["parent_id"] == outer["span_id"] and inner["trace_id"] == outer["trace_id"]
    assert outer["memory_usage_mb"] == 8 and outer["status"] == "error" and outer["parent_id"] is None
    counts = program.metrics()["telex_receive_profiles_total"]
    assert counts[("kind=profile",)] == 1 and counts[("kind=span",)] == 2


def test_fields_choose_exporters(tmp_path, start_telex):
    slow = {"type": "conditional", "conditions": [
        {"condition": "avg_latency_ms > 100 or execution_time_ms > 50", "exporter": file_exporter(tmp_path / "slow")}]}
    program = start_telex(config(tmp_path / "out", exporters={"slow": slow, "archive": file_exporter(tmp_path / "out")}))
    assert push(program, [PROFILE, {**PROFILE, "avg_latency_ms": 3}, *SPANS]).status == 204
    net.wait_until("all records", lambda: len(program.jsonl(tmp_path / "out")) == 4)
    net.wait_until("the slow ones", lambda: len(program.jsonl(tmp_path / "slow")) == 2)
    assert {record["kind"] for record in program.jsonl(tmp_path / "slow")} == {"profile", "span"}


def test_acknowledged_profiles_survive_a_kill(tmp_path, start_telex):
    dead = webhook_exporter(f"http://127.0.0.1:{net.free_port()}/")
    program = start_telex({"receive": {"profiles": True}, "exporters": {"hook": dead}})
    for i in range(50):
        assert push(program, {"sequence": i}).status == 204
    program.sigkill()
    lines = subprocess.run([BINARY, "queue", "export", program.folder / "data" / "bulk"], capture_output=True, text=True,
                           timeout=60, check=True).stdout
    assert sorted(json.loads(line)["sequence"] for line in lines.splitlines()) == list(range(50))


def test_what_makes_no_sense_is_refused_whole(tmp_path, start_telex):
    program = start_telex(config(tmp_path / "out"))
    answer = push(program, [PROFILE, {"latency": [1]}])
    assert answer.status == 400 and b"fields are flat" in answer.body
    assert push(program, b"x", "text/plain").status == 415
    assert push(program, b'{"a":1}\n{"b":2}\n', "application/x-ndjson").status == 204
    net.wait_until("the lines", lambda: len(program.jsonl(tmp_path / "out")) == 2)


def test_off_unless_asked_for(tmp_path, start_telex):
    program = start_telex({"exporters": {"archive": file_exporter(tmp_path / "out")}})
    assert push(program, PROFILE).status == 404


def test_profiles_become_metrics(tmp_path, start_prometheus, start_telex):
    store = start_prometheus()
    exporter = remote_write_exporter(store.url + "/api/v1/write", metrics_mapping={
        "messages_per_second": {"name": "foundation_log_messages_per_second", "type": "gauge"}})
    program = start_telex({"receive": {"profiles": True}, "exporters": {"store": exporter}})
    assert push(program, [PROFILE, *SPANS]).status == 204
    net.wait_until("the metric", lambda: store.query("foundation_log_messages_per_second"))
    assert store.query("foundation_log_messages_per_second")[0]["metric"]["service"] == "api"
    net.wait_until("the other", lambda: store.query("profiling_avg_latency_ms"))
    assert float(store.query("profiling_avg_latency_ms")[0]["value"][1]) == 120.5
    assert not store.query("profiling_host")
    dropped = program.metrics()["telex_receive_dropped_total"]
    assert dropped[("reason=no route",)] == len(SPANS)
