"""Reloads and restarts neither resend nor resolve nor forget."""

import net
from scene import INTERVAL_NS
from telex import alerting, decided_ns, group

UP = [({"instance": "a"}, 1.0)]


def test_reload_changes_nothing_that_stands(scene):
    rules = [alerting("Plain", "plain"), alerting("Waits", "waits", for_="60s"),
             alerting("Keeps", "keeps", keep_firing_for="60s")]
    program = scene.play(*rules)
    for expr in ("plain", "waits", "keeps"):
        scene.vectors[expr] = UP
    scene.wait_states("firing", rule="Plain")
    scene.wait_states("firing", rule="Keeps")
    scene.vectors["keeps"] = []
    net.wait_until("pending", lambda: program.alert_states("Waits") == ["pending"])
    active = sorted((alert["labels"]["alertname"], alert["activeAt"]) for alert in program.alerts())
    program.sighup()
    scene.wait_evaluations("plain", 5)
    assert program.reload().status == 200
    scene.wait_evaluations("plain", 5)
    assert sorted(scene.states()) == ["firing", "firing"]
    assert sorted((alert["labels"]["alertname"], alert["activeAt"]) for alert in program.alerts()) == active


def test_reload_takes_new_rules(scene):
    program = scene.play(alerting("Plain", "plain"))
    scene.vectors["plain"] = scene.vectors["other"] = UP
    scene.wait_states("firing", rule="Plain")
    program.write_rules({"scene.yaml": [group("scene", [
        alerting("Plain", "plain", annotations={"summary": "new"}), alerting("Added", "other")])]})
    assert program.reload().status == 200
    scene.wait_states("firing", rule="Added")
    scene.stays("Plain", "firing", expr="plain")
    scene.vectors["plain"] = []
    scene.wait_states("firing", "resolved", rule="Plain")


def test_a_bad_reload_keeps_the_old_rules_and_says_where(scene):
    program = scene.play(alerting("Plain", "plain"))
    scene.vectors["plain"] = UP
    scene.wait_states("firing")
    program.write_rules({"scene.yaml": "groups:\n- name: scene\n  rules:\n  - alert: Plain\n    expr: sum(\n"})
    answer = program.reload()
    assert answer.status >= 400 and "scene.yaml:5" in answer.text, answer
    program.sighup()
    scene.stays("Plain", "firing", expr="plain")
    assert program.alert_states("Plain") == ["firing"]
    scene.vectors["plain"] = []
    scene.wait_states("firing", "resolved")


def test_a_bad_config_on_reload_keeps_the_old_one(scene):
    program = scene.play(alerting("Plain", "plain"))
    scene.vectors["plain"] = UP
    scene.wait_states("firing")
    program.config_path.write_text(program.config_path.read_text() + "nonsense: 1\n")
    answer = program.reload()
    assert answer.status >= 400 and "nonsense" in answer.text
    scene.stays("Plain", "firing", expr="plain")


def again(scene, end):
    """Ends Telex by `end`, starts it again and returns once it has evaluated."""
    end()
    scene.program.start()
    scene.program.wait_ready()


def restart_keeps_all(scene, end):
    program = scene.play(alerting("Plain", "plain"), alerting("Waits", "waits", for_="2500ms"),
                         alerting("Keeps", "keeps", keep_firing_for="60s"))
    for expr in ("plain", "keeps", "waits"):
        scene.vectors[expr] = UP
    scene.wait_states("firing", rule="Plain")
    scene.wait_states("firing", rule="Keeps")
    scene.vectors["keeps"] = []
    net.wait_until("pending", lambda: program.alert_states("Waits") == ["pending"])
    scene.wait_evaluations("keeps", 2)
    again(scene, end)
    scene.wait_evaluations("plain", 4)
    assert len({edge["id"] for edge in scene.edges("Plain")}) == 1, "fired again"
    assert len({edge["id"] for edge in scene.edges("Keeps")}) == 1, "fired again or resolved"
    waited = scene.wait_states("firing", rule="Waits")[0]
    first_true = next(query.time_ns for query in scene.prom.queries if query.text == "waits" and query.vector)
    assert decided_ns(waited) - first_true < 2500 * 10**6 + 20 * INTERVAL_NS, "`for` began anew"
    scene.vectors["plain"] = []
    net.wait_until("the resolve", lambda: scene.states("Plain")[-1] == "resolved")


def test_sigterm_and_start_again(scene):
    def end():
        assert scene.program.sigterm() == 0
    restart_keeps_all(scene, end)
    assert scene.states("Plain") == ["firing", "resolved"], "a clean stop repeats nothing"


def test_sigkill_and_start_again(scene):
    restart_keeps_all(scene, lambda: scene.program.sigkill())


def test_resolves_what_ended_while_it_was_down(scene):
    program = scene.play(alerting("Plain", "plain"))
    scene.vectors["plain"] = UP
    scene.wait_states("firing")
    assert program.sigterm() == 0
    scene.vectors["plain"] = []
    program.start()
    program.wait_ready()
    scene.wait_states("firing", "resolved")


def test_a_second_telex_on_the_same_state_refuses(scene, tmp_path):
    import telex
    program = scene.play(alerting("Plain", "plain"))
    second = telex.Telex(tmp_path / "second", {**scene.config(), "state": {"path": str(program.folder / "data")}})
    second.start()
    assert second.process.wait(10) != 0
    assert str(program.folder / "data") in second.process.log()


def test_a_moved_group_keeps_its_alerts(scene):
    program = scene.play(alerting("Plain", "plain"))
    scene.vectors["plain"] = UP
    scene.wait_states("firing")
    program.write_rules({"scene.yaml": [], "moved.yaml": [group("scene", [alerting("Plain", "plain")])]})
    assert program.reload().status == 200
    scene.stays("Plain", "firing", expr="plain")
    program.sigkill()
    program.write_rules({"moved.yaml": [], "again.yaml": [group("renamed", [alerting("Plain", "plain")])]})
    program.start()
    program.wait_ready()
    scene.stays("Plain", "firing", expr="plain")
    scene.vectors["plain"] = []
    scene.wait_states("firing", "resolved")


def test_alerts_of_a_removed_rule_are_resolved(scene):
    program = scene.play(alerting("Plain", "plain"), alerting("Other", "other"))
    scene.vectors["plain"] = scene.vectors["other"] = UP
    scene.wait_states("firing", rule="Plain")
    scene.wait_states("firing", rule="Other")
    program.write_rules({"scene.yaml": [group("scene", [alerting("Other", "other")])]})
    assert program.reload().status == 200
    scene.wait_states("firing", "resolved", rule="Plain")
    scene.stays("Other", "firing", expr="other")
