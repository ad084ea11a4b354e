"""Alertmanagers as targets: several of them, found in each way, stopped, changed, and Telex killed meanwhile."""

import json
import time

import fakes
import net
from telex import FAST_RETRY, alerting, group

UP = [({"instance": "a", "job": "n"}, 1.0)]


def exporter(**options):
    return {"type": "alertmanager", **FAST_RETRY, **options}


def play(scene, options, *rules, **sections):
    exporters = {"am": exporter(**options), "hook": scene.config()["exporters"]["hook"]}
    routes = [{"match": 'kind == "alert"', "to": ["hook", "am"]}]
    return scene.play(*(rules or [alerting("Plain", "plain")]), exporters=exporters, routes=routes, **sections)


def holds(manager, name="Plain", **labels):
    return net.wait_until(f"{name} at {manager.name}", lambda: manager.alerts(alertname=name, **labels))


def posts(receiver):
    """What a fake Alertmanager was told: (request, alerts)."""
    return [(request, request.json()) for request in list(receiver.requests) if request.path.endswith("/api/v2/alerts")]


def last_errors(program, *managers):
    """What /api/v1/notifiers says of each."""
    kinds = program.get("/api/v1/notifiers").json()["data"]["notifiers"]
    errors = {target["address"]: target["lastError"] for kind in kinds for target in kind["targets"]}
    return [errors[manager.url + "/api/v2/alerts"] for manager in managers]


def addresses(*managers):
    return [{"targets": [manager.address for manager in managers]}]


def test_one_of_two_stops(scene, start_alertmanager):
    one, two = start_alertmanager(name="am1"), start_alertmanager(name="am2")
    program = play(scene, {"static_configs": addresses(one, two)})
    one.stop()
    scene.vectors["plain"] = UP
    began = time.monotonic()
    first, = holds(two)
    assert time.monotonic() - began < 5, "the dead one delays the other"
    scene.wait_evaluations("plain", 5)
    assert [bool(errors) for errors in last_errors(program, one, two)] == [True, False]
    one.restart()
    second, = holds(one)
    net.wait_until("no error", lambda: not any(last_errors(program, one, two)))
    assert first["startsAt"] == second["startsAt"]
    counted = program.metrics()["telex_notifier_alerts_sent_total"]
    assert sorted(str(m.url + "/api/v2/alerts" in str(labels)) for m in (one, two) for labels in counted) == \
        ["False", "False", "True", "True"], counted
    scene.vectors["plain"] = []
    net.wait_until("the end", lambda: not one.alerts(alertname="Plain") and not two.alerts(alertname="Plain"))


def test_hanging_target_delays_nobody(scene, start_alertmanager, start_webhook):
    good, bad = start_alertmanager(), start_webhook()
    bad.script = [fakes.Answer(hang=True)] * 100
    play(scene, {"static_configs": [{"targets": [good.address, f"{net.HOST}:{bad.port}"]}], "timeout": "60s"})
    scene.vectors["plain"] = UP
    began = time.monotonic()
    holds(good)
    assert time.monotonic() - began < 5
    seen = len(scene.slots("plain"))
    net.wait_until("evaluations go on", lambda: len(scene.slots("plain")) > seen + 5)


def test_files_change(scene, start_alertmanager, tmp_path):
    one, two = start_alertmanager(name="am1"), start_alertmanager(name="am2")
    listed = tmp_path / "am.json"
    listed.write_text(json.dumps(addresses(one)))
    program = play(scene, {"file_sd_configs": [{"files": [str(tmp_path / "am*.json")]}]})
    scene.vectors["plain"] = UP
    holds(one)
    assert two.alerts() == []
    (tmp_path / "am2.json").write_text(json.dumps(addresses(two)))
    holds(two)
    (tmp_path / "am2.json").write_text("[{")
    failures = "telex_discovery_failures_total"
    net.wait_until("a failed look", lambda: sum(program.metrics().get(failures, {}).values()) > 0)
    assert len(program.metrics()["telex_notifier_alerts_sent_total"]) == 2, "the last good list stays"
    (tmp_path / "am2.json").unlink()
    net.wait_until("one target", lambda: len(program.metrics()["telex_notifier_alerts_sent_total"]) == 1)


def test_dns(scene, start_alertmanager, start_dnsmasq):
    one, two = start_alertmanager(name="am1"), start_alertmanager(name="am2")
    hosts = {"h1.test": net.HOST, "h2.test": net.HOST}
    dns = start_dnsmasq(srv={"_web._tcp.am.test": [("h1.test", one.port)]}, hosts=hosts)
    asked = {"nameservers": f"{net.HOST}:{dns.port}", "refresh_interval": "300ms"}
    rules = [{"source_labels": ["__meta_dns_srv_record_port"], "target_label": "__address__",
              "regex": "(.+)", "replacement": f"{net.HOST}:$1"}]
    play(scene, {"dns_sd_configs": [{"names": ["_web._tcp.am.test"], **asked}], "relabel_configs": rules})
    scene.vectors["plain"] = UP
    holds(one)
    dns.change(srv={"_web._tcp.am.test": [("h1.test", one.port), ("h2.test", two.port)]})
    holds(two)


def test_dns_addresses(scene, start_alertmanager, start_dnsmasq):
    manager = start_alertmanager()
    dns = start_dnsmasq(hosts={"am.test": net.HOST})
    play(scene, {"dns_sd_configs": [{"names": ["am.test"], "type": "A", "port": manager.port,
                                     "nameservers": f"{net.HOST}:{dns.port}"}]})
    scene.vectors["plain"] = UP
    holds(manager)


def test_consul(scene, start_alertmanager, start_webhook):
    manager, consul = start_alertmanager(), start_webhook()
    node = {"Node": "n", "Address": "10.9.9.9", "Datacenter": "dc1"}
    service = {"ID": "am-1", "Service": "am", "Tags": ["prod"], "Address": net.HOST, "Port": manager.port}
    broken = {**service, "ID": "am-2", "Port": 1}
    entries = [{"Node": node, "Service": service, "Checks": [{"CheckID": "c", "Status": "passing"}]},
               {"Node": node, "Service": broken, "Checks": [{"CheckID": "c", "Status": "critical"}]}]
    consul.answer = lambda request: fakes.json_answer(entries)
    program = play(scene, {"consul_sd_configs": [{"server": f"{net.HOST}:{consul.port}", "services": ["am"],
                                                  "refresh_interval": "300ms"}],
                           "relabel_configs": [{"source_labels": ["__meta_consul_health"], "regex": "passing",
                                                "action": "keep"}]})
    scene.vectors["plain"] = UP
    holds(manager)
    assert len(program.metrics()["telex_notifier_alerts_sent_total"]) == 1
    assert consul.requests[0].path == "/v1/health/service/am"


def test_reload(scene, start_webhook):
    """Nothing is told again by a reload; new relabel rules for alerts are in force after it."""
    receiver = start_webhook()
    options = {"static_configs": [{"targets": [receiver.url]}]}
    program = play(scene, options)
    scene.vectors["plain"] = UP
    net.wait_until("the alert", lambda: len(posts(receiver)) == 1)
    assert program.reload().status == 200
    scene.wait_evaluations("plain", 8)
    assert len(posts(receiver)) == 1

    options["alert_relabel_configs"] = [{"target_label": "site", "replacement": "berlin"}]
    exporters = {"am": exporter(**options), "hook": scene.config()["exporters"]["hook"]}
    program.write_config(scene.config(exporters=exporters,
                                      routes=[{"match": 'kind == "alert"', "to": ["hook", "am"]}]))
    assert program.reload().status == 200
    net.wait_until("the new label", lambda: len(posts(receiver)) > 1)
    assert posts(receiver)[-1][1][0]["labels"]["site"] == "berlin"
    assert scene.states() == ["firing"]


def test_restart(scene, start_webhook):
    """Nothing is told again by a restart, but what changed meanwhile is."""
    receiver = start_webhook()
    program = play(scene, {"static_configs": [{"targets": [receiver.url]}]},
                   alerting("Plain", "plain"), alerting("Gone", "gone"))
    scene.vectors["plain"] = scene.vectors["gone"] = UP
    net.wait_until("both", lambda: sum(len(body) for _, body in posts(receiver)) == 2)
    assert program.sigterm() == 0
    seen = len(posts(receiver))
    scene.vectors["gone"] = []
    program.start().wait_ready()
    net.wait_until("the end", lambda: len(posts(receiver)) > seen)
    scene.wait_evaluations("plain", 5)
    told = [alert["labels"]["alertname"] for _, body in posts(receiver)[seen:] for alert in body]
    assert told == ["Gone"]


def test_reload_while_discovery_is_down(scene, start_webhook):
    """What was found last is known after a reload too."""
    receiver, found = start_webhook(), start_webhook()
    found.answer = lambda request: fakes.json_answer([{"targets": [f"{net.HOST}:{receiver.port}"]}])
    program = play(scene, {"http_sd_configs": [{"url": found.url + "/sd", "refresh_interval": "300ms"}]},
                   alerting("Plain", "plain"), alerting("Other", "other"))
    scene.vectors["plain"] = UP
    net.wait_until("the alert", lambda: len(posts(receiver)) == 1)
    found.down()
    assert program.reload().status == 200
    scene.vectors["other"] = UP
    net.wait_until("the other", lambda: len(posts(receiver)) > 1)
    assert [alert["labels"]["alertname"] for alert in posts(receiver)[1][1]] == ["Other"], "and nothing again"


def test_alerts_are_relabelled_and_dropped(scene, start_webhook):
    receiver = start_webhook()
    rules = [{"source_labels": ["alertname"], "regex": "Gone", "action": "drop"},
             {"action": "labeldrop", "regex": "job"}]
    play(scene, {"url": receiver.url, "alert_relabel_configs": rules},
         alerting("Gone", "plain"), alerting("Plain", "plain", labels={"host.name": "x"}))
    scene.vectors["plain"] = UP
    net.wait_until("the alert", lambda: posts(receiver))
    scene.wait_evaluations("plain", 5)
    told = [alert["labels"] for _, body in posts(receiver) for alert in body]
    assert told == [{"alertname": "Plain", "instance": "a", "host_name": "x"}]


def test_headers_of_groups(scene, start_webhook, start_telex):
    receiver = start_webhook()
    exporters = {"am": exporter(url=receiver.url, headers={"X-Team": "none"})}
    groups = [group("one", [alerting("One", "plain")], notifier_headers=["X-Team: a"]),
              group("two", [alerting("Two", "plain")])]
    scene.vectors["plain"] = UP
    start_telex(scene.config(exporters=exporters, routes=[{"to": ["am"]}]), {"r.yaml": groups})
    net.wait_until("both", lambda: len(posts(receiver)) >= 2)
    teams = {body[0]["labels"]["alertname"]: request.headers["X-Team"] for request, body in posts(receiver)}
    assert teams == {"One": "a", "Two": "none"}


def test_killed_while_it_tells(scene, start_alertmanager, start_webhook):
    """Killed in the middle, three times: each alert arrives, always with the start it had at first."""
    manager, slow = start_alertmanager(), start_webhook()
    slow.answer = lambda request: fakes.Answer(200, delay=0.3)
    program = play(scene, {"static_configs": [{"targets": [manager.address, slow.url]}]},
                   alerting("Many", "many"))
    many = [({"instance": f"i{n}"}, 1.0) for n in range(600)]
    scene.vectors["many"] = many
    for _ in range(3):
        seen = len(slow.requests)
        net.wait_until("a request under way", lambda: len(slow.requests) > seen)
        program.sigkill()
        program.start().wait_ready()
    held = net.wait_until("all alerts", lambda: [a for a in manager.alerts(alertname="Many")
                                                 if len(manager.alerts(alertname="Many")) == 600])
    assert len({alert["fingerprint"] for alert in held}) == 600
    net.wait_until("all at the slow one", lambda: len(
        {alert["labels"]["instance"] for _, body in posts(slow) for alert in body}) == 600)
    starts = {}
    for _, body in posts(slow):
        for alert in body:
            starts.setdefault(alert["labels"]["instance"], set()).add(alert["startsAt"])
    assert all(len(times) == 1 for times in starts.values()), "an alert told with two starts is two alerts"


def test_two_reloads_while_discovery_is_down(scene, start_webhook):
    """What a target was told goes on from graph to graph until it is found again."""
    receiver, found = start_webhook(), start_webhook()
    found.answer = lambda request: fakes.json_answer([{"targets": [f"{net.HOST}:{receiver.port}"]}])

    def options(n):
        return {"http_sd_configs": [{"url": f"{found.url}/sd{n}", "refresh_interval": "300ms"}], "resend_delay": "1h"}
    program = play(scene, options(0))
    scene.vectors["plain"] = UP
    net.wait_until("the alert", lambda: len(posts(receiver)) == 1)
    found.down()
    for n in (1, 2):  # another way to find targets: what the one before found is not taken over
        exporters = {"am": exporter(**options(n)), "hook": scene.config()["exporters"]["hook"]}
        program.write_config(scene.config(exporters=exporters, routes=[{"match": 'kind == "alert"', "to": ["hook", "am"]}]))
        assert program.reload().status == 200
    found.up()
    asked = len(found.requests)
    net.wait_until("found again", lambda: len(found.requests) > asked + 1)
    scene.wait_evaluations("plain", 8)
    assert len(posts(receiver)) == 1, "told again"
