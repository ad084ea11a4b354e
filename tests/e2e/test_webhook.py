"""What a webhook gets: the seed's JSON, field for field, one POST per edge."""

import net
from telex import FAST_RETRY, alerting, decided_ns, webhook_exporter

SEED_FIELDS = {"timestamp", "alert_name", "instance", "value", "threshold", "severity", "labels", "annotations"}
OUR_FIELDS = {"kind", "id", "state", "rule", "group", "starts_at", "ends_at"}

LABELS = {"export_to_datastore": "true", "severity": "warning"}
ANNOTATIONS = {"summary": "High CPU usage detected on {{ $labels.instance }}", "threshold_value": "80",
               "export_database": "alerts_db", "export_measurement": "cpu_alerts"}
SERIES = [({"__name__": "cpu", "service": "node_exporter", "instance": "server-01"}, 85.4)]


def test_the_seeds_shape(scene):
    scene.play(alerting("HighCPUUsage", "cpu", labels=LABELS, annotations=ANNOTATIONS))
    scene.vectors["cpu"] = SERIES
    edge, = scene.wait_states("firing")
    assert set(edge) - OUR_FIELDS == SEED_FIELDS
    labels = {"alertname": "HighCPUUsage", "service": "node_exporter", "instance": "server-01", **LABELS}
    annotations = {**ANNOTATIONS, "summary": "High CPU usage detected on server-01"}
    assert {name: edge[name] for name in SEED_FIELDS - {"timestamp"}} == {
        "alert_name": "HighCPUUsage", "instance": "server-01", "value": 85.4, "threshold": 80,
        "severity": "warning", "labels": labels, "annotations": annotations}
    assert edge["timestamp"].endswith("Z") and decided_ns(edge) > 0
    assert (edge["kind"], edge["state"], edge["rule"], edge["group"]) == ("alert", "firing", "HighCPUUsage", "scene")
    assert isinstance(edge["id"], str) and edge["id"]
    assert not isinstance(edge["threshold"], str)


def test_one_post_per_edge_as_json(scene):
    scene.play(alerting("Plain", "plain"))
    scene.vectors["plain"] = [({"instance": f"i{number}"}, float(number)) for number in range(20)]
    scene.wait_states(*["firing"] * 20)
    requests = list(scene.hook.requests)
    assert len(requests) == 20
    for request in requests:
        assert request.method == "POST"
        assert request.headers["Content-Type"].split(";")[0] == "application/json"
        assert isinstance(request.json(), dict)
        assert request.headers["User-Agent"].lower().startswith("telex")


def test_texts_come_through_unharmed(scene):
    odd = 'quote " backslash \\ newline \n tab \t nul-ish \x01 ü 漢 🙂 </script>'
    scene.play(alerting("Odd", "odd", annotations={"summary": "{{ $labels.text }}"}))
    scene.vectors["odd"] = [({"text": odd}, 1e300)]
    edge, = scene.wait_states("firing")
    assert edge["labels"]["text"] == odd and edge["annotations"]["summary"] == odd and edge["value"] == 1e300


def test_custom_headers_and_bearer(scene):
    hook = webhook_exporter(scene.hook.url + "/in/here?x=1", headers={"X-Source": "telex-test"},
                            auth={"type": "bearer", "token": "t0ken"})
    scene.play(alerting("Plain", "plain"), exporters={"hook": hook})
    scene.vectors["plain"] = SERIES
    scene.wait_states("firing")
    request = scene.hook.requests[0]
    assert (request.path, request.params) == ("/in/here", {"x": ["1"]})
    assert request.headers["X-Source"] == "telex-test" and request.headers["Authorization"] == "Bearer t0ken"
    assert "t0ken" not in scene.program.process.log()


def test_gzip(scene):
    hook = webhook_exporter(scene.hook.url, compression="gzip")
    scene.play(alerting("Plain", "plain"), exporters={"hook": hook})
    scene.vectors["plain"] = SERIES
    scene.wait_states("firing")
    assert scene.hook.requests[0].headers["Content-Encoding"] == "gzip"


def test_routes_choose_by_label(scene, start_webhook):
    pager = start_webhook()
    exporters = {"hook": webhook_exporter(scene.hook.url), "pager": {"type": "webhook", "url": pager.url, **FAST_RETRY}}
    routes = [{"match": 'kind == "alert" and severity == "critical"', "to": ["pager"]},
              {"match": 'kind == "alert"', "to": ["hook"]}]
    scene.play(alerting("Bad", "bad", labels={"severity": "critical"}), alerting("Mild", "mild"),
               exporters=exporters, routes=routes)
    scene.vectors["bad"] = scene.vectors["mild"] = SERIES
    scene.wait_states("firing", rule="Mild")
    net.wait_until("the page", pager.accepted)
    assert [edge["rule"] for edge in pager.accepted()] == ["Bad"]
    assert scene.states("Bad") == []
