"""Alertmanager as a level output: it holds what fires, as long as it fires."""

import fakes
import net
from telex import alerting, alertmanager_exporter, group, webhook_exporter

UP = [({"instance": "a", "job": "n"}, 1.0)]


def play(scene, manager, *rules, **options):
    exporters = {"am": alertmanager_exporter(manager.url, **options), "hook": scene.config()["exporters"]["hook"]}
    return scene.play(*rules, exporters=exporters, routes=[{"match": 'kind == "alert"', "to": ["hook", "am"]}])


def test_fires_and_resolves(scene, start_alertmanager):
    manager = start_alertmanager()
    play(scene, manager, alerting("Plain", "plain", labels={"severity": "page"},
                                  annotations={"summary": "{{ $labels.instance }} is up"}))
    scene.vectors["plain"] = UP
    edge, = scene.wait_states("firing")
    held, = net.wait_until("the alert", lambda: manager.alerts(alertname="Plain"))
    assert held["labels"] == {"alertname": "Plain", "instance": "a", "job": "n", "severity": "page"} == edge["labels"]
    assert held["annotations"] == {"summary": "a is up"}
    assert abs(net.parse_rfc3339(held["startsAt"]) - net.parse_rfc3339(edge["starts_at"])) < 10**6 * 2
    assert net.parse_rfc3339(held["endsAt"]) > net.parse_rfc3339(held["updatedAt"])
    assert held["generatorURL"].startswith("http")
    scene.vectors["plain"] = []
    scene.wait_states("firing", "resolved")
    net.wait_until("the end", lambda: not manager.alerts(alertname="Plain"))


def test_pending_alerts_are_not_sent(scene, start_alertmanager):
    manager = start_alertmanager()
    program = play(scene, manager, alerting("Waits", "waits", for_="60s"))
    scene.vectors["waits"] = UP
    net.wait_until("pending", lambda: program.alert_states("Waits") == ["pending"])
    scene.wait_evaluations("waits", 4)
    assert manager.alerts() == []


def test_down_when_it_fires(scene, start_alertmanager):
    manager = start_alertmanager()
    manager.stop()
    play(scene, manager, alerting("Plain", "plain"), alerting("Gone", "gone"))
    scene.vectors["plain"] = scene.vectors["gone"] = UP
    scene.wait_states("firing", rule="Plain")
    scene.wait_states("firing", rule="Gone")
    scene.vectors["gone"] = []
    scene.wait_states("firing", "resolved", rule="Gone")
    manager.restart()
    net.wait_until("the alert", lambda: manager.alerts(alertname="Plain"))
    scene.wait_evaluations("plain", 5)
    assert manager.alerts(alertname="Gone") == [], "only what still holds is sent"


def test_repeated_while_firing(scene, webhook, start_alertmanager, start_webhook):
    """An Alertmanager that forgot (started anew without data) is told again."""
    receiver = start_webhook()
    play(scene, receiver, alerting("Plain", "plain"), resend_delay="1s")
    scene.vectors["plain"] = UP
    net.wait_until("three sends", lambda: len(receiver.requests) >= 3, 20)
    posts = [request for request in receiver.requests if request.path == "/api/v2/alerts"]
    bodies = [request.json() for request in posts]
    assert len(posts) == len(receiver.requests)
    assert all(isinstance(body, list) and len(body) == 1 for body in bodies)
    assert len({body[0]["startsAt"] for body in bodies}) == 1, "the same alert"
    ends = [net.parse_rfc3339(body[0]["endsAt"]) for body in bodies]
    assert ends == sorted(ends) and ends[0] < ends[-1], "each send extends it"
    gaps = [later.when - earlier.when for earlier, later in zip(posts, posts[1:])]
    assert all(gap >= 0.8 for gap in gaps), gaps
    assert scene.states() == ["firing"], "an edge output is told once"


def test_routes_decide(scene, start_alertmanager):
    """It holds the alerts that the routes send it, and no others."""
    manager = start_alertmanager()
    exporters = {"am": alertmanager_exporter(manager.url), "hook": scene.config()["exporters"]["hook"]}
    scene.play(alerting("Bad", "plain", labels={"severity": "critical"}),
               alerting("Meh", "plain", labels={"severity": "info"}),
               exporters=exporters, routes=[{"match": 'severity == "critical"', "to": ["am"]}, {"to": ["hook"]}])
    scene.vectors["plain"] = UP
    scene.wait_states("firing", rule="Meh")
    net.wait_until("the alert", lambda: manager.alerts(alertname="Bad"))
    scene.wait_evaluations("plain", 5)
    assert manager.alerts(alertname="Meh") == [] and scene.states(rule="Bad") == []


def test_a_stop_names_who_was_not_told(scene, start_alertmanager, start_webhook):
    """Neither an Alertmanager that was never told nor dead letters pass for a delivery."""
    manager, refuser = start_alertmanager(), start_webhook()
    manager.stop()
    refuser.script = [fakes.Answer(400, "no")] * 8
    exporters = {"am": alertmanager_exporter(manager.url), "refuser": webhook_exporter(refuser.url),
                 "hook": scene.config()["exporters"]["hook"]}
    scene.play(alerting("Plain", "plain"), exporters=exporters,
               routes=[{"match": 'kind == "alert"', "to": ["hook", "am", "refuser"]}])
    scene.vectors["plain"] = UP
    scene.wait_states("firing")
    net.wait_until("a dead letter", lambda: "became dead letters" in scene.program.process.log())
    assert scene.program.sigterm() == 0
    last = scene.program.process.log().strip().splitlines()[-1]
    assert 'stopped; not everything was delivered' in last
    assert 'left="am: 1 alert not told; refuser: 1 dead letter"' in last, last
    assert 'alerts_not_told=1' in last and 'dead_letters=1' in last


def test_a_query_that_hangs_delays_nobody(scene, start_webhook):
    """Its alerts are told too, and none of them as already over."""
    receiver = start_webhook()
    scene.vectors["slowq"] = fakes.Answer(hang=True)
    scene.vectors["slow"] = [({"instance": str(i)}, 1.0) for i in range(8)]
    scene.vectors["plain"] = UP
    slow = alerting("Slow", "slow", annotations={"n": '{{ query "slowq" | len }}'})
    exporters = {"am": alertmanager_exporter(receiver.url, resend_delay="2s"),
                 "hook": scene.config()["exporters"]["hook"]}
    scene.play(alerting("Plain", "plain"), exporters=exporters,
               datasource={"url": scene.prom.url, "query_timeout": "500ms"},
               routes=[{"match": 'kind == "alert"', "to": ["hook", "am"]}])
    scene.program.write_rules({"slow.yaml": [group("slow", [slow], interval="1s")], "scene.yaml": [
        group("scene", [alerting("Plain", "plain")], interval="200ms")]})
    assert scene.program.reload().status == 200
    told = {}

    def all_told():
        for post in list(receiver.requests):
            for alert in post.json():
                key = alert["labels"]["alertname"], alert["labels"]["instance"]
                told.setdefault(key, (post.when, alert))
        return len(told) == 9
    net.wait_until("all alerts", all_told, 20)
    net.wait_until("some resends", lambda: len(receiver.requests) > 8, 20)
    left = [net.parse_rfc3339(alert["endsAt"]) / 1e9 - post.when
            for post in receiver.requests for alert in post.json()]
    assert min(left) > 7, "endsAt is four times resend_delay away when it is sent"


def test_a_moved_group_is_not_told_again(scene, start_webhook):
    """Neither over a reload nor over a restart that renames it."""
    receiver = start_webhook()
    program = play(scene, receiver, alerting("Plain", "plain"), resend_delay="1h")
    scene.vectors["plain"] = UP
    net.wait_until("the alert", lambda: receiver.requests)
    program.write_rules({"moved.yaml": [group("renamed", [alerting("Plain", "plain")])], "scene.yaml": []})
    assert program.reload().status == 200
    scene.wait_evaluations("plain", 8)
    assert len(receiver.requests) == 1, [post.raw for post in receiver.requests]
    assert program.sigterm() == 0
    program.write_rules({"moved.yaml": [], "again.yaml": [group("again", [alerting("Plain", "plain")])]})
    program.start()
    program.wait_ready()
    scene.wait_evaluations("plain", 8)
    assert len(receiver.requests) == 1, [post.raw for post in receiver.requests]
    scene.vectors["plain"] = []
    net.wait_until("the end", lambda: len(receiver.requests) == 2)
    first, last = (post.json()[0] for post in receiver.requests)
    assert first["startsAt"] == last["startsAt"]
    assert net.parse_rfc3339(last["endsAt"]) <= receiver.requests[1].when * 1e9


def test_alerts_of_a_removed_rule_end_there(scene, start_alertmanager):
    """Long before it would be told again."""
    manager = start_alertmanager()
    program = play(scene, manager, alerting("Plain", "plain", annotations={"summary": "it was {{ $labels.instance }}"}),
                   alerting("Other", "other"), resend_delay="1h")
    scene.vectors["plain"] = scene.vectors["other"] = UP
    net.wait_until("both", lambda: manager.alerts(alertname="Plain") and manager.alerts(alertname="Other"))
    program.write_rules({"scene.yaml": [group("scene", [alerting("Other", "other")], interval="200ms")]})
    assert program.reload().status == 200
    net.wait_until("the end", lambda: not manager.alerts(alertname="Plain"))
    assert manager.alerts(alertname="Other")


def test_a_stop_with_very_many_alerts(scene, start_webhook):
    """They are told before it ends, and after it starts again none is told twice."""
    count = 20000
    receiver = start_webhook()
    scene.vectors["plain"] = [({"instance": f"i{i}"}, 1.0) for i in range(count)]
    exporters = {"am": alertmanager_exporter(receiver.url, resend_delay="1h")}
    program = scene.play(alerting("Plain", "plain"), interval="1s", exporters=exporters,
                         routes=[{"match": 'kind == "alert"', "to": ["am"]}])
    net.wait_until("the first", lambda: receiver.requests, 30)
    assert program.sigterm() == 0
    told = [alert["labels"]["instance"] for post in receiver.accepted() for alert in post]
    assert len(told) == len(set(told)) == count
    program.start()
    program.wait_ready()
    scene.wait_evaluations("plain", 2)
    assert sum(len(post) for post in receiver.accepted()) == count
