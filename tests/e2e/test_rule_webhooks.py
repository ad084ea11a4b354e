"""`webhook_url` in a rule: what it finds goes there, in its format and in batches of its size, and through the log."""

import csv
import datetime
import io

import pytest

import lineproto
import net
from telex import alerting, group, recording

SWITCH = {"export_to_datastore": "true"}
TEN = [({"__name__": "cpu", "instance": f"i{number}", "team": "a" if number < 4 else "b"}, 80.0 + number)
       for number in range(10)]


def posts(hook, path="/in"):
    return [request for request in list(hook.requests) if request.path == path and request.status == 200]


def wait_posts(hook, count, path="/in"):
    net.wait_until(f"{count} requests at {path}", lambda: len(posts(hook, path)) >= count)
    return posts(hook, path)


@pytest.fixture
def target(start_webhook):
    return start_webhook()


def annotations(target, path="/in", **more):
    return {"webhook_url": target.url + path, **more}


def play(scene, *rules, **sections):
    return scene.play(*rules, exporters={}, routes=[], **sections)


def test_batches_of_alerts(scene, target):
    play(scene, alerting("Hot", "cpu", labels=SWITCH, annotations=annotations(target, batch_size="4")))
    scene.vectors["cpu"] = TEN
    requests = wait_posts(target, 3)
    assert [len(request.json()) for request in requests] == [4, 4, 2]
    found = [alert for request in requests for alert in request.json()]
    assert sorted(alert["instance"] for alert in found) == sorted(labels["instance"] for labels, _ in TEN)
    assert {alert["alert_name"] for alert in found} == {"Hot"}
    assert scene.edges() == []


def test_one_object_without_a_size(scene, target):
    play(scene, alerting("Hot", "cpu", labels=SWITCH, annotations=annotations(target)))
    scene.vectors["cpu"] = TEN[:2]
    assert sorted(request.json()["value"] for request in wait_posts(target, 2)) == [80, 81]


def test_url_and_headers_are_templates(scene, target):
    play(scene, alerting("Hot", "cpu", labels=SWITCH, annotations={
        "webhook_url": target.url + "/team/{{ $labels.team | pathEscape }}", "batch_size": "100",
        "webhook_headers": "X-Team: {{ $labels.team }}\nX-Rule: {{ $labels.alertname }}"}))
    scene.vectors["cpu"] = TEN
    of_a, = wait_posts(target, 1, "/team/a")
    of_b, = wait_posts(target, 1, "/team/b")
    assert (len(of_a.json()), len(of_b.json())) == (4, 6)
    assert (of_b.headers["X-Team"], of_b.headers["X-Rule"]) == ("b", "Hot")


def test_csv(scene, target):
    odd = [({"instance": 'a,"b"\nc'}, 85.5), ({"instance": "plain", "zone": "z"}, 86.0)]
    play(scene, alerting("Hot", "cpu", labels=SWITCH,
                         annotations=annotations(target, export_format="csv", threshold_value="80")))
    scene.vectors["cpu"] = odd
    request, = wait_posts(target, 1)
    assert request.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(request.body().decode(), newline="")))
    assert {row["instance"]: (row["name"], row["value"], row["state"], row["threshold"], row["zone"])
            for row in rows} == {'a,"b"\nc': ("Hot", "85.5", "firing", "80", ""),
                                 "plain": ("Hot", "86", "firing", "80", "z")}


def test_line_protocol_and_prometheus_text(scene, target):
    play(scene,
         recording("lines", "cpu", labels=SWITCH, annotations=annotations(
             target, "/influx", export_format="influx", export_measurement="cpu_usage")),
         recording("texts", "cpu", labels=SWITCH, annotations=annotations(target, "/prom", export_format="prometheus")))
    scene.vectors["cpu"] = TEN[:3]
    request = wait_posts(target, 1, "/influx")[0]
    points = list(lineproto.decode(request.body()))
    assert len(points) == 3 and request.body().decode().count("cpu_usage,") == 3
    text = wait_posts(target, 1, "/prom")[0].body().decode().splitlines()
    assert len(text) == 3 and all(line.startswith('texts{') and 'instance="i' in line for line in text)


def test_batches_of_samples_thinned(scene, target):
    """An export each two seconds, though the rule is evaluated five times a second; four together, also of two
    evaluations, since batches wait for company."""
    play(scene, recording("hourly", "cpu", labels={**SWITCH, "export_type": "batch"},
                          annotations=annotations(target, batch_size="4", export_interval="2s")))
    scene.vectors["cpu"] = TEN
    requests = wait_posts(target, 5)
    assert {len(request.json()) for request in requests[:4]} == {4}
    first = requests[0].json()[0]
    assert first["name"] == "hourly" and first["annotations"]["batch_size"] == "4"
    times = sorted({datetime.datetime.fromisoformat(sample["timestamp"][:23].rstrip("Z"))
                    for request in posts(target) for sample in request.json()})
    gaps = [(later - earlier).total_seconds() for earlier, later in zip(times, times[1:])]
    assert gaps and all(1.8 <= gap <= 2.5 for gap in gaps), gaps


def test_the_end_when_asked(scene, target):
    play(scene,
         alerting("Ends", "cpu", labels=SWITCH, annotations=annotations(target, export_on_resolve="true")),
         alerting("Fires", "cpu", labels=SWITCH, annotations=annotations(target, "/other")))
    scene.vectors["cpu"] = TEN[:1]
    wait_posts(target, 1)
    wait_posts(target, 1, "/other")
    scene.vectors["cpu"] = []
    assert [request.json()["state"] for request in wait_posts(target, 2)] == ["firing", "resolved"]
    scene.wait_evaluations("cpu", 4)
    assert len(posts(target, "/other")) == 1


def test_survives_an_outage_and_a_kill(scene, target):
    program = play(scene, alerting("Hot", "cpu", labels=SWITCH, annotations=annotations(target, batch_size="100")))
    target.down()
    scene.vectors["cpu"] = TEN
    net.wait_until("ten firing", lambda: program.alert_states("Hot") == ["firing"] * 10)
    program.sigkill()
    target.up()
    program.start()
    net.wait_until("all of them", lambda: {alert["instance"] for request in posts(target) for alert in request.json()}
                   == {labels["instance"] for labels, _ in TEN}, 30)


def test_with_a_datastore_too(scene, target):
    """As in the seed's structure: both get it."""
    scene.play(alerting("Hot", "cpu", labels=SWITCH, annotations=annotations(target, export_datastore="hook")),
               routes=[])
    scene.vectors["cpu"] = TEN[:1]
    assert wait_posts(target, 1)[0].json()["alert_name"] == "Hot"
    scene.wait_states("firing", rule="Hot")


def test_comes_and_goes_with_a_reload(scene, target):
    program = play(scene, alerting("Plain", "plain"))
    assert program.get("/api/v1/status/exporters").json()["data"]["exporters"] == []
    program.write_rules({"scene.yaml": [group("scene", [
        alerting("Hot", "cpu", labels=SWITCH, annotations=annotations(target))])]})
    assert program.reload().status == 200
    scene.vectors["cpu"] = TEN[:1]
    wait_posts(target, 1)
    program.write_rules({"scene.yaml": [group("scene", [alerting("Plain", "plain")])]})
    assert program.reload().status == 200
