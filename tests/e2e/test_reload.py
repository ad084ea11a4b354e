"""What a reload may change while everything goes on, and what it refuses."""

import concurrent.futures
import time

import fakes
import net
import telex
from telex import alerting, file_exporter, group, recording, webhook_exporter

UP = [({"instance": "a"}, 1.0)]
ALERTS = [{"match": 'kind == "alert"', "to": ["hook"]}]


def reload_ok(program):
    answer = program.reload()
    assert answer.status == 200, answer
    return answer.json()["data"]


def reload_refused(program, *words):
    answer = program.reload()
    assert answer.status == 400 and answer.json()["status"] == "error", answer
    for word in words:
        assert word in answer.json()["error"], answer
    assert program.get("/-/ready").status == 200
    return answer


def test_says_what_it_took(scene):
    program = scene.play(alerting("Plain", "plain > 0"))
    assert reload_ok(program) == {"groups": 1, "rules": 1, "warnings": ""}
    program.write_rules({"a.yaml": [group("one", [alerting("A", "a")])], "b.yaml": [group("two", [recording("b", "b")])]})
    assert reload_ok(program)["groups"] == 2
    assert {found["name"] for found in program.rules()} == {"one", "two"}
    assert program.metrics()["telex_config_last_reload_successful"][()] == 1
    assert program.metrics()["telex_rules"][()] == 2


def test_another_datasource_keeps_alerts(scene, start_fake_prom):
    """The alert goes on firing under the new datasource, which ends it; nobody is told twice."""
    program = scene.play(alerting("Plain", "plain"), alerting("Waits", "waits", for_="60s"))
    scene.vectors["plain"] = scene.vectors["waits"] = UP
    scene.wait_states("firing", rule="Plain")
    net.wait_until("pending", lambda: program.alert_states("Waits") == ["pending"])
    active = {alert["labels"]["alertname"]: alert["activeAt"] for alert in program.alerts()}
    other = start_fake_prom(lambda text, time_ns: UP)
    program.write_config({**scene.config(), "datasource": {"url": other.url}})
    reload_ok(program)
    net.wait_until("queries at the other", lambda: len(other.queries) >= 6)
    assert scene.states() == ["firing"]
    assert {alert["labels"]["alertname"]: alert["activeAt"] for alert in program.alerts()} == active
    other.respond = lambda text, time_ns: []
    scene.wait_states("firing", "resolved", rule="Plain")
    before = len(scene.prom.queries)
    net.wait_until("more queries at the other", lambda: len(other.queries) >= 12)
    assert len(scene.prom.queries) == before


def test_other_external_labels(scene):
    program = scene.play(alerting("Plain", "plain"))
    program.write_config({**scene.config(), "external_labels": {"site": "b"}})
    reload_ok(program)
    scene.vectors["plain"] = UP
    edge, = scene.wait_states("firing")
    assert edge["labels"]["site"] == "b"


def test_exporters_come_and_go(scene, tmp_path, start_webhook):
    program = scene.play(alerting("Plain", "plain"), alerting("Later", "later"))
    scene.vectors["plain"] = UP
    scene.wait_states("firing")
    late = start_webhook()
    program.write_config({**scene.config(),
                          "exporters": {"late": webhook_exporter(late.url), "archive": file_exporter(tmp_path / "out")},
                          "routes": [{"match": 'kind == "alert"', "to": ["late", "archive"]}]})
    reload_ok(program)
    exporters = program.get("/api/v1/status/exporters").json()["data"]["exporters"]
    assert [exporter["name"] for exporter in exporters] == ["late", "archive"]
    scene.vectors["later"] = UP
    net.wait_until("the new one to be told", lambda: [edge["rule"] for edge in late.accepted()] == ["Later"])
    net.wait_until("the archive", lambda: [edge["rule"] for edge in program.jsonl(tmp_path / "out")] == ["Later"])
    assert scene.states("Later") == [], "what is gone gets nothing"
    program.write_config(scene.config())
    reload_ok(program)
    scene.vectors["later"] = []
    scene.wait_states("resolved", rule="Later")


def test_what_waits_is_delivered_after_a_reload(scene):
    scene.hook.down()
    program = scene.play(alerting("Plain", "plain"))
    scene.vectors["plain"] = UP
    net.wait_until("firing", lambda: program.alert_states("Plain") == ["firing"])
    reload_ok(program)
    scene.hook.up()
    scene.wait_states("firing")


def test_refuses_what_cannot_be(scene, tmp_path):
    program = scene.play(alerting("Plain", "plain"))
    scene.vectors["plain"] = UP
    scene.wait_states("firing")
    (tmp_path / "file").write_text("")
    config = scene.config()
    for sections, word in (({"state": {"path": str(tmp_path / "other")}}, "state.path"),
                           ({"exporters": {"x": file_exporter(tmp_path / "file" / "out")}, "routes": []}, "file"),
                           ({"exporters": {"x": {"type": "webhok"}}, "routes": []}, "webhook"),
                           ({"routes": [{"to": ["nobody"]}]}, "nobody"),
                           ({"datasource": {"url": "nonsense"}}, "url")):
        program.write_config({**config, **sections})
        reload_refused(program, word)
        assert program.metrics()["telex_config_last_reload_successful"][()] == 0
        assert word in program.get("/").text, "the status page says it too"
    program.write_config(config)
    reload_ok(program)
    assert "refused" not in program.get("/").text.split("<h2>")[0]
    scene.vectors["plain"] = []
    scene.wait_states("firing", "resolved")


def test_allowed_hosts_change(scene):
    program = scene.play(alerting("Plain", "plain"))
    host = {"Host": "telex.example"}
    assert program.get("/-/ready", headers=host).status == 403
    program.write_config({**scene.config(), "server": {**telex.server_section(program.port), "allowed_hosts": ["telex.example"]}})
    reload_ok(program)
    assert program.get("/-/ready", headers=host).status == 200


def test_reloads_under_way_disturb_nothing(scene):
    """Reloads from all sides, while rules are evaluated and the API is read: each is answered, alerts fire once."""
    program = scene.play(*[alerting(f"A{number}", "plain") for number in range(20)])
    scene.vectors["plain"] = UP
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        reloads = [pool.submit(program.reload) for _ in range(40)]
        reads = [pool.submit(program.get, path) for _ in range(40)
                 for path in ("/", "/api/v1/rules", "/api/v1/alerts", "/metrics", "/api/v1/status/exporters")]
        assert {one.result().status for one in reloads + reads} == {200}
    scene.wait_states(*["firing"] * 20)
    scene.stays("A7", "firing", expr="plain")


def test_queries_that_hang_do_not_hold_a_reload(start_fake_prom, start_telex, webhook):
    """Where the datasource does not answer, its address is what somebody wants to change."""
    dead = start_fake_prom(lambda text, time_ns: fakes.Answer(hang=True))
    good = start_fake_prom(lambda text, time_ns: [({"of": text}, 1.0)])
    config = {"datasource": {"url": dead.url}, "datasources": {"good": {"url": good.url}},
              "exporters": {"hook": telex.webhook_exporter(webhook.url)}}
    rules = {"rules.yaml": [group("slow", [alerting(f"A{n}", f"a{n}") for n in range(9)], interval="1s"),
                            group("quick", [alerting("Quick", "quick", datasource="good")], interval="1s")]}
    program = start_telex(config, rules)
    net.wait_until("a query to hang", lambda: dead.queries)
    config["datasource"]["url"] = good.url
    program.write_config(config)
    began = time.time()
    assert net.post(program.url + "/-/reload", timeout=30).status == 200
    assert time.time() - began < 9, "the reload waited for queries that hang"
    net.wait_until("the others", lambda: {"A0", "A8", "Quick"} <= {
        edge["rule"] for edge in webhook.accepted() if telex.is_edge(edge)})
    missed = program.metrics()["telex_rule_group_iterations_missed_total"]
    assert sum(count for labels, count in missed.items() if "group=slow" in labels and "reason=cut" in labels) == 1
    late = sum(count for labels, count in missed.items() if "group=quick" in labels and "reason=late" in labels)
    stamps = [query.time_ns // 10**9 for query in good.queries if query.text == "quick"]
    assert stamps[-1] - stamps[0] + 1 == len(stamps) + late, f"slots are lost: {stamps}, {late} counted"
