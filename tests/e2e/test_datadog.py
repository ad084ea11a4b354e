"""Datadog, by a strict decoder of its schema: samples, profiles, limits, a wrong key."""

import json
import time

import net
import vendors
from fakes import json_answer
from telex import FAST_RETRY, recording

ROUTES = [{"match": 'kind == "sample"', "to": ["dd"]}]


def exporter(server, **options):
    return {"type": "datadog", "url": server.url, "api_key": vendors.Datadog.KEY, **FAST_RETRY, **options}


def push(program, records):
    answer = net.post(program.url + "/api/v1/profile", json.dumps(records).encode(),
                      headers={"Content-Type": "application/json"})
    assert answer.status == 204, answer


def test_samples_arrive(scene, start_datadog):
    server = start_datadog()
    scene.vectors["some"] = [({"instance": name, "host": "h" + name, "odd": "a b,ä\n"}, index + 0.5)
                             for index, name in enumerate("abc")]
    scene.vectors["some"].append(({"instance": "nan"}, float("nan")))
    program = scene.play(recording("job:some_rate", "some"), routes=ROUTES,
                         exporters={"dd": exporter(server, tags=["environment:production"],
                                                   metrics_config={"namespace": "web", "tags": ["team:ops"]})})
    scene.wait_evaluations("some", 5)
    assert program.sigterm() == 0
    assert server.violations == []
    assert {(name, host, value, kind) for name, host, _, _, value, kind in server.points} == {
        ("web.job_some_rate", "ha", 0.5, 3), ("web.job_some_rate", "hb", 1.5, 3), ("web.job_some_rate", "hc", 2.5, 3)}
    assert {"environment:production", "team:ops", "odd:a_b_ä_", "instance:a"} <= set(
        next(tags for _, host, tags, *_ in server.points if host == "ha"))


def test_profiles_as_the_seed_maps_them(start_datadog, start_telex):
    server = start_datadog()
    mapped = {
        "processing_rate": {"metric_name": "foundation.log.processing_rate", "metric_type": "rate",
                            "source_field": "messages_per_second"},
        "emoji_overhead": {"metric_name": "foundation.log.emoji_overhead", "metric_type": "gauge",
                           "source_field": "emoji_overhead_percent"}}
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": exporter(
        server, app_key="unused", metrics_config={"namespace": "foundation.profiling", "tags": ["team:platform"]},
        apm_config={"service": "foundation-profiling", "env": "production", "version": "1.0.0"},
        custom_metrics=mapped)}})
    push(program, [{"messages_per_second": 14000, "emoji_overhead_percent": 3.5, "avg_latency_ms": 12, "up": True},
                   {"avg_latency_ms": 1, "timestamp": time.time() - 7200}])
    net.wait_until("the metrics", lambda: len(server.points) == 4)
    assert server.violations == []
    assert {(name, value, kind) for name, _, _, _, value, kind in server.points} == {
        ("foundation.log.processing_rate", 14000, 2), ("foundation.log.emoji_overhead", 3.5, 3),
        ("foundation.profiling.avg_latency_ms", 12, 3), ("foundation.profiling.up", 1, 3)}
    assert set(server.points[0][2]) == {"team:platform", "service:foundation-profiling", "env:production", "version:1.0.0"}
    net.wait_until("the dead letter", lambda: "older than an hour" in program.process.log())
    assert all("unused" not in str(request.headers) for request in server.requests)


def test_a_wrong_key_loses_nothing(start_datadog, start_telex):
    server = start_datadog()
    server.script = [500, 429, 403]
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": exporter(server)}})
    push(program, [{"a": 1}])
    net.wait_until("the metric, after the pause of a halt", lambda: len(server.points) == 1, deadline=60)
    assert vendors.Datadog.KEY not in program.process.log()


def test_large_batches_stay_below_the_limits(start_datadog, start_telex):
    server = start_datadog()
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": exporter(server, gzip=False)}})
    for part in range(4):
        push(program, [{"a": i, "labels": {"i": f"{part}-{i}", "long": "x" * 190}} for i in range(6000)])
    net.wait_until("the metrics", lambda: len(server.points) >= 24000)
    assert server.violations == [] and len({point[2] for point in server.points}) == 24000


def test_errors_of_a_202_are_dead_letters(start_datadog, start_telex):
    server = start_datadog()
    server.script = [json_answer({"errors": ["no such thing"]}, 202)]
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": exporter(server)}})
    push(program, [{"a": 1}])
    net.wait_until("the reason", lambda: "answered 202 with errors: no such thing" in program.process.log())
    push(program, [{"a": 2}])
    net.wait_until("the next", lambda: [point[4] for point in server.points] == [2])


def test_the_config_map_of_the_seed(start_datadog, start_telex, tmp_path):
    """`exporters` as a list, the key as the name of a secret, tags at the top."""
    server = start_datadog()
    (tmp_path / "datadog-api-key").write_text(vendors.Datadog.KEY + "\n")
    program = start_telex({
        "receive": {"profiles": True}, "secrets": {"path": str(tmp_path)},
        "exporters": [{"name": "datadog", "type": "datadog", "config": {
            "api_key_secret": "datadog-api-key", "site": "datadoghq.com", "url": server.url,
            "tags": ["environment:production", "service:foundation"]}}]})
    push(program, [{"messages_per_second": 14000}])
    net.wait_until("the metric", lambda: len(server.points) == 1)
    assert server.points[0][0] == "profiling.messages_per_second"
    assert server.points[0][2] == ("environment:production", "service:foundation") and server.violations == []
