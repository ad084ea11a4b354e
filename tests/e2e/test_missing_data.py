"""Data that is missing, late or incomplete: what rules say of it, against a scripted datasource."""

import net
from fakes import Answer, vector_answer
from telex import alerting, group, recording

HOST = {"instance": "a"}


def test_a_condition_that_is_false_and_data_that_is_gone_are_two_things(scene):
    scene.vectors["up"] = [(HOST, 0.0)]
    scene.vectors["up == 0"] = [(HOST, 0.0)]
    scene.play(alerting("Resolves", "up == 0"), alerting("Stays", "up == 0", no_data="keep_last_state"),
               alerting("Alerts", "up == 0", no_data="alert"))
    for rule in ("Resolves", "Stays", "Alerts"):
        scene.wait_states("firing", rule=rule)
    scene.vectors["up"] = []
    scene.vectors["up == 0"] = []  # the host is gone
    scene.wait_states("firing", "resolved", rule="Resolves")
    scene.stays("Stays", "firing", expr="up")
    scene.stays("Alerts", "firing", expr="up")
    scene.vectors["up"] = [(HOST, 1.0)]  # it is back, and fine
    scene.wait_states("firing", "resolved", rule="Stays")
    scene.wait_states("firing", "resolved", rule="Alerts")
    scene.vectors["up"] = []  # all is gone, and nothing fires
    net.wait_until("the alert of that", lambda: [edge["labels"] for edge in scene.edges("Alerts")][2:] ==
                   [{"alertname": "Alerts"}])


def test_partial_answers(scene):
    def respond(partial, vector):
        scene.vectors["x > 5"] = vector_answer(vector, 0, **({"isPartial": True} if partial else {}))
    respond(False, [(HOST, 9.0)])
    scene.play(alerting("Keeps", "x > 5"), alerting("Resolves", "x > 5", partial="resolve"),
               alerting("Fails", "x > 5", partial="error"))
    for rule in ("Keeps", "Resolves", "Fails"):
        scene.wait_states("firing", rule=rule)
    respond(True, [])
    scene.wait_states("firing", "resolved", rule="Resolves")
    scene.stays("Keeps", "firing", expr="x > 5")
    scene.stays("Fails", "firing", expr="x > 5")
    assert "the answer is partial" in scene.program.rule("Fails")["lastError"]
    assert scene.program.rule("Keeps")["health"] == "ok"
    scene.vectors["x > 5"] = vector_answer([], 0, warnings=["No StoreAPIs matched for this query"])
    scene.stays("Keeps", "firing", expr="x > 5")  # Thanos says it so
    scene.vectors["x > 5"] = vector_answer([], 0, warnings=["PromQL warning: bucket label missing"])
    scene.wait_states("firing", "resolved", rule="Keeps")  # that is about the expression


def test_a_store_that_hangs_holds_nobody_for_longer_than_the_deadline(scene):
    scene.vectors["slow"] = Answer(hang=True)
    scene.vectors["fine"] = [(HOST, 1.0)]
    groups = [group("hangs", [recording("slow", "slow"), alerting("Behind", "fine")], query_timeout="300ms"),
              group("other", [alerting("Other", "fine")])]
    scene.program = scene._start_telex(scene.config(), {"rules.yaml": groups})
    scene.wait_states("firing", rule="Other")
    scene.wait_states("firing", rule="Behind")
    net.wait_until("the error", lambda: scene.program.rule("slow")["health"] == "err")
    assert scene.program.rule("slow")["evaluationTime"] < 2
    scene.vectors["slow"] = [(HOST, 1.0)]
    net.wait_until("an answer", lambda: scene.program.rule("slow")["health"] == "ok")
