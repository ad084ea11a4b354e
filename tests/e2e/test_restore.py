"""`restore:`: alerts that Debian's vmalert left in a Prometheus go on in Telex."""

import subprocess
import time

import snappy

import net
import remote_write
import telex
from telex import alerting, group

ONE = 'label_replace(vector(1), "instance", "%s", "", "")'


def written(name, first, last, active, state, ended=False):
    """What an engine writes of an alert each second, and a stale marker behind it when it ended."""
    alert = [("alertname", name), ("instance", "a")]
    group_label = [("alertgroup", "scene")]
    at = [second * 1000 for second in range(first, last)]
    marker = [(remote_write.STALE_BITS, last * 1000)] if ended else []
    return [([("__name__", "ALERTS_FOR_STATE"), *group_label, *alert], [(float(active), ms) for ms in at] + marker),
            ([("__name__", "ALERTS"), *group_label, alert[0], ("alertstate", state), alert[1]],
             [(1.0, ms) for ms in at] + marker)]


def push(prom, series):
    body = snappy.compress(remote_write.encode(series))
    answer = net.post(prom.url + "/api/v1/write", body, headers={"Content-Encoding": "snappy"})
    assert answer.status == 204, answer.text


def test_alerts_of_another_engine_go_on(start_prometheus, start_telex, webhook):
    """Firing stays firing and is not told; pending keeps its time; what had ended begins anew."""
    prom = start_prometheus()
    now = int(time.time())
    push(prom, written("Fires", now - 60, now - 30, now - 600, "firing")
         + written("Waits", now - 60, now - 30, now - 45, "pending")
         + written("Ended", now - 60, now - 50, now - 600, "firing", ended=True))
    program = start_telex({
        "datasource": {"url": prom.url}, "restore": {"datasource": "datasource"},
        "exporters": {"hook": telex.webhook_exporter(webhook.url)}},
        {"scene.yaml": [group("scene", [
            alerting("Fires", ONE % "a"), alerting("Waits", ONE % "a", for_="20s"), alerting("Ended", ONE % "a"),
            alerting("Fresh", ONE % "b")], interval="1s")]})

    def told():
        return [record["alert_name"] for record in webhook.accepted()]
    net.wait_until("what is new is told", lambda: {"Ended", "Fresh"} <= set(told()))
    alerts = {alert["labels"]["alertname"]: alert for alert in program.alerts()}
    assert alerts["Fires"]["state"] == "firing" and alerts["Fires"]["labels"]["instance"] == "a"
    assert alerts["Waits"]["state"] == "pending"
    waited = time.time() - net.parse_rfc3339(alerts["Waits"]["activeAt"]) / 1e9
    assert 13 < waited < 20, f"15 s of waiting should be left behind it, not {waited}"
    net.wait_until("Waits fires", lambda: "Waits" in told())
    assert "Fires" not in told(), "it was told before"


def test_it_is_asked_until_there_is_an_answer(scene, start_fake_prom):
    """Rules go on meanwhile; what is found late still counts."""
    other = start_fake_prom()
    other.down()
    scene.vectors["waits"] = [({"instance": "a"}, 1.0)]
    program = scene.play(alerting("Waits", "waits", for_="30s"),
                         datasources={"other": {"url": other.url}}, restore={"datasource": "other"})
    net.wait_until("pending", lambda: program.alert_states("Waits") == ["pending"])
    net.wait_until("failures", lambda: program.metrics()["telex_rule_restore_failures_total"][()] > 1)
    now = time.time()
    selector = 'ALERTS_FOR_STATE{alertname="Waits"}'
    vectors = {f"max(max_over_time(timestamp({selector})[3600s:200ms]))": [({}, now)],
               selector: [({"__name__": "ALERTS_FOR_STATE", "alertname": "Waits", "instance": "a"}, int(now) - 60)]}
    other.respond = lambda text, time_ns: vectors.get(text, [])
    other.up()
    edge, = scene.wait_states("firing", rule="Waits")
    assert edge["labels"]["instance"] == "a"


def test_an_unknown_datasource_is_refused(start_telex, tmp_path):
    config = tmp_path / "telex.yaml"
    config.write_text("restore: { datasource: nobody }\n")
    done = subprocess.run([telex.BINARY, "check", "-c", config], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "telex.yaml:1:24" in done.stderr and "no datasource 'nobody'" in done.stderr


def test_what_we_write_meanwhile_is_not_taken_for_what_was(start_prometheus, start_fake_prom, start_telex):
    """Who is asked does not answer at first, and has our own series when it does."""
    store = start_prometheus()
    now = int(time.time())
    labels = [("alertname", "Waits"), ("instance", "a")]
    at = [second * 1000 for second in range(now - 60, now - 1)]
    push(store, [([("__name__", "ALERTS_FOR_STATE"), *labels], [(float(now - 600), ms) for ms in at])])
    other = start_fake_prom(lambda text, time_ns: [(row["metric"], float(row["value"][1]))
                                                   for row in store.query(text, time_ns / 1e9)])
    other.down()
    program = start_telex({"datasource": {"url": store.url}, "datasources": {"other": {"url": other.url}},
                           "restore": {"datasource": "other"},
                           "exporters": {"store": telex.remote_write_exporter(store.url + "/api/v1/write")}},
                          {"scene.yaml": [group("scene", [alerting("Waits", ONE % "a", for_="1h")], interval="1s")]})
    net.wait_until("our own time to be there",
                   lambda: [row for row in store.query('ALERTS_FOR_STATE{alertname="Waits"}')
                            if float(row["value"][1]) >= now])
    net.wait_until("failures", lambda: program.metrics()["telex_rule_restore_failures_total"][()] > 1)
    other.up()

    def active():
        return net.parse_rfc3339(program.alerts()[0]["activeAt"]) / 1e9
    net.wait_until("the earlier time", lambda: active() < now - 500)
    assert active() * 1000 % 1 == 0, "no more than milliseconds are known"


def test_rules_of_one_name_are_told_apart(start_prometheus, start_telex):
    """Each asks for its own series: what the other has written since is no sign of life."""
    store = start_prometheus()
    config = {"datasource": {"url": store.url}, "restore": {"datasource": "datasource"},
              "exporters": {"store": telex.remote_write_exporter(store.url + "/api/v1/write")}}
    rules = {"scene.yaml": [group(name, [alerting("X", ONE % "a", for_="1h", labels={"severity": name})], interval="1s")
                            for name in ("a", "b")]}
    first = start_telex(config, rules)
    net.wait_until("both in the store", lambda: len(store.query('ALERTS_FOR_STATE{alertname="X"}')) == 2)
    was = {alert["labels"]["severity"]: net.parse_rfc3339(alert["activeAt"]) for alert in first.alerts()}
    first.sigkill()
    down = time.time()
    time.sleep(5)
    second = start_telex(config, rules)
    net.wait_until("both restored", lambda: len(second.alerts()) == 2)
    unwatched = time.time() - down
    for alert in second.alerts():
        moved = (net.parse_rfc3339(alert["activeAt"]) - was[alert["labels"]["severity"]]) / 1e9
        assert 2.5 < moved < unwatched + 2, f"{alert['labels']['severity']}: {moved} s of {unwatched} are not credited"
