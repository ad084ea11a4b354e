"""The specification of alert generators, black box: series are remote-written to a Prometheus, Telex asks it with
its defaults (but for the interval, here a second), and ALERTS, the API and what an Alertmanager gets are held
against it. The suite that belongs to the specification does the same in forty minutes; its rules are used here
with shorter times.
"""

import time

import pytest
import snappy

import net
import remote_write
import telex
from telex import alerting, group

NAME = "alert_generator_test_suite"
SECOND = 10**9
STEP_MS = 250


class Stage:
    """A Prometheus whose samples are written ahead: `plan` says from which second on a series has which value."""

    def __init__(self, prom, receiver, start_telex):
        self.prom, self.receiver, self.start_telex = prom, receiver, start_telex
        self.zero_ms = (int(time.time()) + 3) * 1000
        self.program = None

    def plan(self, labels, *changes, end):
        """`changes` are (second, value); None ends the series. Samples stand STEP_MS apart up to `end`."""
        samples = []
        for at_ms in range(0, int(end * 1000), STEP_MS):
            value = [value for second, value in changes if second * 1000 <= at_ms][-1:] or [None]
            if value[0] is not None:
                samples.append((float(value[0]), self.zero_ms + at_ms))
            elif samples and samples[-1][0] != remote_write.STALE_BITS:
                samples.append((remote_write.STALE_BITS, self.zero_ms + at_ms))
        series = [([("__name__", NAME), *sorted(labels.items())], samples)]
        answer = net.post(self.prom.url + "/api/v1/write", snappy.compress(remote_write.encode(series)),
                          headers={"Content-Encoding": "snappy"})
        assert answer.status == 204, answer.text

    def play(self, *rules, **options):
        manager = telex.alertmanager_exporter(self.receiver.url, **options)
        self.program = self.start_telex({
            "datasource": {"url": self.prom.url},
            "exporters": {"store": telex.remote_write_exporter(self.prom.url + "/api/v1/write"), "am": manager}},
            {"rules.yaml": [group("Group", list(rules), interval="1s")]})
        return self.program

    def sleep_until(self, second):
        time.sleep(max(0.0, self.zero_ms / 1000 + second - time.time()))

    # -- what came out

    def series(self, name, **labels):
        """{other labels: [(milliseconds, value)]} of what Telex wrote."""
        selector = ",".join(f'{key}="{value}"' for key, value in labels.items())
        found = self.prom.samples(f"{name}{{{selector}}}", "5m")
        return {key: [(round(float(at) * 1000), float(value)) for at, value in pairs] for key, pairs in found.items()}

    def times(self, name, **labels):
        """When the only such series has samples; all of them are 1 for ALERTS."""
        (pairs,) = self.series(name, **labels).values()
        return [at for at, _ in pairs]

    def slots(self, first, last):
        """The evaluations (ms) that begin in these seconds, by their place in the second."""
        info = self.program.rules()[0]
        phase_ms = net.parse_rfc3339(info["lastEvaluation"]) // 10**6 % 1000
        return [self.zero_ms + second * 1000 + phase_ms for second in range(first, last)]

    def told(self, name, **labels):
        """(when, alert) of all that the Alertmanager got about an alert, in order."""
        return [(request.when, alert) for request in list(self.receiver.requests) if request.status == 200
                for alert in request.json() if alert["labels"]["alertname"] == name
                and labels.items() <= alert["labels"].items()]


@pytest.fixture
def stage(start_prometheus, start_webhook, start_telex):
    return Stage(start_prometheus(), start_webhook(), start_telex)


def ms(text):
    return net.parse_rfc3339(text) // 10**6


def suite(rule, threshold, **fields):
    """A rule of the suite: it looks at the series that has its name."""
    return alerting(rule, f'{{__name__="{NAME}", alertname="{rule}"}} > {threshold}', **fields)


def test_pending_firing_resolved(stage):
    stage.plan({"alertname": "Simple", "variant": "one"}, (0, 5), (2, 15), (8, 19), (12, 5), end=25)
    program = stage.play(suite("Simple", 10, for_="4s", labels={"foo": "bar"},
                               annotations={"description": "firing", "summary": "The value is {{$value}} {{.Value}}"}))
    stage.sleep_until(4.5)
    rule = program.rule("Simple")
    assert rule["state"] == "pending" and rule["health"] == "ok" and not rule.get("lastError")
    pending, firing = stage.slots(2, 6), stage.slots(6, 12)
    (alert,) = rule["alerts"]
    assert alert["state"] == "pending" and ms(alert["activeAt"]) == pending[0]
    assert float(alert["value"]) == 15
    stage.sleep_until(10.5)
    (alert,) = program.alerts()
    assert alert["state"] == "firing" and ms(alert["activeAt"]) == pending[0] and float(alert["value"]) == 19
    assert alert["annotations"]["summary"] == "The value is 19 19", "the latest annotations"
    stage.sleep_until(14.5)
    assert program.alerts() == [] and program.rule("Simple")["state"] == "inactive"

    labels = {"alertname": "Simple", "foo": "bar", "variant": "one"}
    want = {tuple(sorted({"__name__": "ALERTS", "alertstate": state, **labels}.items())): [(at, 1.0) for at in slots]
            for state, slots in (("pending", pending), ("firing", firing))}
    assert stage.series("ALERTS") == want
    assert stage.series("ALERTS_FOR_STATE") == {
        tuple(sorted({"__name__": "ALERTS_FOR_STATE", **labels}.items())):
            [(at, float(pending[0] // 1000)) for at in pending + firing]}

    (fired_when, fired), (ended_when, ended) = stage.told("Simple")
    for alert in (fired, ended):
        assert alert["labels"] == labels and ms(alert["startsAt"]) == firing[0]
        assert alert["annotations"]["description"] == "firing" and alert["generatorURL"].startswith("http")
    assert fired["annotations"]["summary"] == "The value is 15 15"
    assert abs(ms(fired["endsAt"]) / 1000 - fired_when - 4 * 60) < 0.5, "four times the resend delay, which is a minute"
    resolved = stage.slots(12, 13)[0]
    assert ms(ended["endsAt"]) == resolved
    assert -0.01 < fired_when - firing[0] / 1000 < 0.9 and -0.01 < ended_when - resolved / 1000 < 0.9


def test_pending_resolved_and_always_inactive(stage):
    stage.plan({"alertname": "Pending"}, (0, 5), (1, 11), (3, 5), (5, 11), (7, None), end=12)
    stage.plan({"alertname": "Inactive"}, (0, 98), end=12)
    program = stage.play(suite("Pending", 10, for_="3s"), suite("Inactive", 99, for_="3s"))
    stage.sleep_until(9.5)
    assert stage.times("ALERTS") == stage.slots(1, 3) + stage.slots(5, 7)
    assert stage.series("ALERTS", alertstate="firing") == {}
    (active,) = stage.series("ALERTS_FOR_STATE").values()
    assert [int(value) for _, value in active] == [at // 1000 for at in
                                                   stage.slots(1, 2) * 2 + stage.slots(5, 6) * 2], "each its own time"
    assert program.rule("Inactive")["state"] == program.rule("Pending")["state"] == "inactive"
    assert not stage.receiver.requests, "nobody hears of alerts that did not fire"


def test_zero_for_and_small_for(stage):
    """A `for` below the interval fires at the next evaluation, not in between."""
    for text, number in (("b", 2), ("a", 1)):
        stage.plan({"alertname": "template", "for": "template", "id": text}, (0, number), end=12)
    stage.plan({"alertname": "ZeroFor"}, (0, 5), (2, 15), (5, 5), end=12)
    stage.plan({"alertname": "SmallFor"}, (0, 5), (2, 15), (5, 5), end=12)
    query = (f'{{{{ define "t" }}}}Args are: {{{{.arg0}}}} {{{{.arg1}}}}. {{{{ with query "{NAME}{{for=\'template\'}}" }}}}'
             '{{ . | sortByLabel "id" | first | label "id" }},{{ range $v := sortByLabel "id" . }}'
             '{{ $v | label "id" }}:{{ $v | value }},{{ end }}{{ end }}{{ end }}{{ template "t" (args "foo" 99) }}')
    stage.play(
        suite("ZeroFor", 10, annotations={
            "query": query, "numbers": "{{humanize 1048576}} {{humanize1024 1048576}} {{humanizeDuration 135.3563}} "
                                       "{{humanizePercentage 0.959}} {{humanizeTimestamp 1643114203}}"}),
        suite("SmallFor", 10, for_="500ms", annotations={
            "texts": '{{title "this part"}} {{toUpper "is testing"}} {{toLower "THE STRINGS"}}. '
                     '{{ stripPort "[::1]:6006"}} {{ stripPort "127.0.0.1:4004"}}. {{parseDuration "2h10m15s"}}. '
                     '{{if match "[0-9]+" "1234"}}{{reReplaceAll "r.*d" "replaced" "rpld text"}}{{end}}'
                     '{{if match "[0-9]+$" "1234a"}}WRONG{{end}}.'}))
    stage.sleep_until(7.5)
    assert stage.series("ALERTS", alertname="ZeroFor", alertstate="pending") == {}
    assert stage.times("ALERTS", alertname="ZeroFor", alertstate="firing") == stage.slots(2, 5)
    assert stage.times("ALERTS", alertname="SmallFor", alertstate="pending") == stage.slots(2, 3)
    assert stage.times("ALERTS", alertname="SmallFor", alertstate="firing") == stage.slots(3, 5)
    (_, zero), (_, zero_end) = stage.told("ZeroFor")
    (_, small), (_, small_end) = stage.told("SmallFor")
    assert [ms(zero["startsAt"]), ms(small["startsAt"])] == stage.slots(2, 4)
    assert [ms(zero_end["endsAt"]), ms(small_end["endsAt"])] == stage.slots(5, 6) * 2
    assert zero["annotations"]["query"] == "Args are: foo 99. a,a:1,b:2,"
    assert zero["annotations"]["numbers"] == "1.049M 1Mi 2m 15s 95.9% 2022-01-25 12:36:43 +0000 UTC"
    assert small["annotations"]["texts"] == "This Part IS TESTING the strings. ::1 127.0.0.1. 7815. replaced text."


def test_new_alerts_and_order(stage):
    """A rule sees the ALERTS that an earlier one gave in the same evaluation; what fires later is told by itself."""
    stage.plan({"alertname": "First", "variant": "one"}, (1, 11), (9, 5), end=14)
    stage.plan({"alertname": "First", "variant": "two"}, (4, 11), (9, 5), end=14)

    def variant(name):
        return f'ALERTS{{alertstate="firing", alertname="First", foo="bar", variant="{name}"}}'
    stage.play(
        suite("First", 10, for_="2s", labels={"foo": "bar"}),
        alerting("Second", f'({variant("one")} + ignoring(variant) {variant("two")}) == 2',
                 labels={"ba_dum": "tss", "foo": "baz"},
                 annotations={"description": "Old alertname was {{$labels.alertname}}. foo was {{.Labels.foo}}."}))
    stage.sleep_until(11.5)
    assert stage.times("ALERTS", alertname="First", variant="one", alertstate="firing") == stage.slots(3, 9)
    assert stage.times("ALERTS", alertname="First", variant="two", alertstate="firing") == stage.slots(6, 9)
    assert stage.times("ALERTS", alertname="Second", alertstate="firing") == stage.slots(6, 9), "no slot behind"
    (_, one), *_ = stage.told("First", variant="one")
    (_, two), *_ = stage.told("First", variant="two")
    (_, second), (_, second_end) = stage.told("Second")
    assert [ms(alert["startsAt"]) for alert in (one, two, second)] == [stage.slots(at, at + 1)[0] for at in (3, 6, 6)]
    assert ms(second_end["endsAt"]) == stage.slots(9, 10)[0]
    assert second["labels"] == {"alertname": "Second", "alertstate": "firing", "ba_dum": "tss", "foo": "baz"}
    assert second["annotations"]["description"] == "Old alertname was First. foo was bar."


def test_resend(stage):
    """At the first multiple of the interval that is not below the delay: while it fires, and after its end until it is
    active anew."""
    stage.plan({"alertname": "Again"}, (1, 11), (9, 5), (17, 11), end=28)
    stage.play(suite("Again", 10, for_="2s"), resend_delay="2500ms")
    stage.sleep_until(22.0)
    told = stage.told("Again")
    firing = [ms(alert["endsAt"]) for when, alert in told if ms(alert["endsAt"]) / 1000 > when]
    assert len(firing) >= 3
    first, = {ms(alert["startsAt"]) for _, alert in told if ms(alert["startsAt"]) < stage.zero_ms + 15000}
    assert first == stage.slots(3, 4)[0]
    whens = [when - first / 1000 for when, alert in told if ms(alert["startsAt"]) == first]
    want = [0, 3, 6, 9]  # fires at 3, ends at 9, all by their places in the seconds of the plan
    assert [round(when) for when in whens][:4] == want, whens
    assert all(abs(when - round(when)) < 0.45 for when in whens), whens
    ended = [ms(alert["endsAt"]) for when, alert in told if ms(alert["startsAt"]) == first and when > first / 1000 + 5.5]
    assert set(ended) == {stage.slots(9, 10)[0]} and len(ended) == 3, "at 9, 12 and 15; at 17 it is active anew"
    assert [ms(alert["startsAt"]) for _, alert in told][len(whens)] == stage.slots(19, 20)[0]


def test_duplicates_fail_the_rule(stage):
    stage.plan({"alertname": "Twice", "foo": "one"}, (0, 15), end=8)
    stage.plan({"alertname": "Twice", "foo": "two"}, (0, 15), end=8)
    program = stage.play(suite("Twice", 10, labels={"foo": "same"}), suite("Other", 10))
    stage.sleep_until(4.0)
    rule = program.rule("Twice")
    assert rule["health"] == "err" and rule["lastError"] and rule["alerts"] == []
    assert program.rule("Other")["health"] == "ok"
    assert stage.series("ALERTS") == {} and not stage.receiver.requests


def test_labels_that_alerts_override(stage):
    """alertname and the metric's name give way to the rule's; an alertstate of the series stands in the alert, not
    in ALERTS."""
    stage.plan({"alertname": "Of the series", "alertstate": "very_critical", "kept": "yes"}, (0, 15), end=8)
    program = stage.play(alerting("Mine", f'{NAME}{{kept="yes"}} > 10', labels={"severity": "page"}))
    stage.sleep_until(4.0)
    (alert,) = program.alerts()
    assert alert["labels"] == {"alertname": "Mine", "alertstate": "very_critical", "kept": "yes", "severity": "page"}
    (_, told), *_ = stage.told("Mine")
    assert told["labels"] == alert["labels"]
    (series,) = stage.series("ALERTS")
    assert dict(series) == {"__name__": "ALERTS", "alertname": "Mine", "alertstate": "firing", "kept": "yes",
                            "severity": "page"}


def test_a_restart_changes_nothing(stage):
    """No end, no new beginning: startsAt stays, ALERTS goes on, and what ended meanwhile is told once."""
    stage.plan({"alertname": "Stays"}, (0, 15), end=25)
    stage.plan({"alertname": "Goes"}, (0, 15), (5, 5), end=25)
    program = stage.play(suite("Stays", 10, for_="1s"), suite("Goes", 10))
    stage.sleep_until(4.0)
    (_, before), = stage.told("Stays")
    starts = program.alerts()[0]["activeAt"]
    assert program.sigterm() == 0
    stage.sleep_until(7.0)
    program.start().wait_ready()
    net.wait_until("the end", lambda: len(stage.told("Goes")) == 2)
    stage.sleep_until(11.0)
    assert program.alerts()[0]["activeAt"] == starts and program.alert_states("Stays") == ["firing"]
    assert [ms(alert["startsAt"]) for _, alert in stage.told("Stays")] == [ms(before["startsAt"])] * len(stage.told("Stays"))
    assert all(ms(alert["endsAt"]) / 1000 > when for when, alert in stage.told("Stays")), "it was ended"
    (active,) = stage.series("ALERTS_FOR_STATE", alertname="Stays").values()
    assert len({value for _, value in active}) == 1 and max(at for at, _ in active) > stage.zero_ms + 9000
    (_, goes), (_, ended) = stage.told("Goes")
    assert ended["startsAt"] == goes["startsAt"] and ms(ended["endsAt"]) >= stage.zero_ms + 7000


def test_optional_functions_are_no_load_errors(stage):
    stage.plan({"alertname": "Optional"}, (0, 15), end=8)
    program = stage.play(suite("Optional", 10, annotations={
        "links": '{{ graphLink "up" }}{{ tableLink "up" }}', "console": '{{ pathPrefix }}{{ safeHtml "x" }}',
        "value": '{{ with query "vector(1)" }}{{ . | first | strvalue }}{{ end }}',
        "external": "{{ $externalLabels.nothing }}{{ .ExternalURL }}"}))
    stage.sleep_until(3.0)
    assert program.rule("Optional")["health"] == "ok"
    (alert,) = program.alerts()
    assert alert["state"] == "firing" and "error" not in "".join(alert["annotations"].values())


def test_fields_of_the_api(stage):
    stage.plan({"alertname": "Fields"}, (0, 15.5), end=8)
    program = stage.play(suite("Fields", 10, for_="1500ms", labels={"a": "{{ $value }}"}, annotations={"b": "{{ $value }}"}))
    stage.sleep_until(4.0)
    (found,) = program.rules()
    assert found["name"] == "Group" and found["interval"] == 1
    (rule,) = found["rules"]
    want = {"type": "alerting", "name": "Fields", "query": f'{{__name__="{NAME}", alertname="Fields"}} > 10', "duration": 1.5,
            "labels": {"a": "{{ $value }}"}, "annotations": {"b": "{{ $value }}"}, "health": "ok", "state": "firing"}
    assert want.items() <= rule.items()
    assert 0 < rule["evaluationTime"] < 1 and abs(net.parse_rfc3339(rule["lastEvaluation"]) / 1e9 - time.time()) < 2.5
    (alert,) = rule["alerts"]
    assert alert["state"] == "firing" and float(alert["value"]) == 15.5
    assert alert["labels"] == {"a": "15.5", "alertname": "Fields"} and alert["annotations"] == {"b": "15.5"}
    (listed,) = program.alerts()
    assert {key: listed[key] for key in alert if key in listed} == {key: alert[key] for key in alert if key in listed}
