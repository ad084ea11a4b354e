"""Destinations that fail for a while: nothing is lost, order is kept, and what they ask for is obeyed."""

import time

import pytest

import fakes
import net
from telex import alerting, decided_ns, file_exporter, webhook_exporter

SERIES = [({"instance": f"i{number}"}, 1.0) for number in range(10)]


def fire_and_resolve(scene, rounds):
    """Lets all series fire and resolve this many times; returns when the API has seen each state."""
    for _ in range(rounds):
        scene.vectors["plain"] = SERIES
        net.wait_until("firing", lambda: len(scene.program.alert_states("Plain")) == len(SERIES))
        scene.vectors["plain"] = []
        net.wait_until("inactive", lambda: not scene.program.alert_states("Plain"))


def check_all_arrive(scene, rounds):
    """Each alert's edges are there, once, in order, and decided in rising time."""
    for labels, _ in SERIES:
        edges = scene.wait_states(*["firing", "resolved"] * rounds, instance=labels["instance"], deadline=30)
        times = [decided_ns(edge) for edge in edges]
        assert times == sorted(times)
        assert len({edge["id"] for edge in edges}) == 2 * rounds


def test_refused_connections(scene):
    scene.hook.down()
    scene.play(alerting("Plain", "plain"))
    fire_and_resolve(scene, 3)
    scene.hook.up()
    check_all_arrive(scene, 3)


def test_503_for_a_while(scene):
    scene.hook.script = [503] * 15
    scene.play(alerting("Plain", "plain"))
    fire_and_resolve(scene, 2)
    check_all_arrive(scene, 2)


@pytest.mark.parametrize("restart", ["sigterm", "sigkill"])
def test_restart_while_the_destination_is_down(scene, restart):
    scene.hook.down()
    program = scene.play(alerting("Plain", "plain"))
    fire_and_resolve(scene, 2)
    getattr(program, restart)()
    program.start()
    program.wait_ready()
    scene.hook.up()
    check_all_arrive(scene, 2)


def test_a_dead_output_does_not_hold_up_another(scene, tmp_path, start_webhook):
    scene.hook.down()
    exporters = {"hook": webhook_exporter(scene.hook.url), "archive": file_exporter(tmp_path / "out")}
    program = scene.play(alerting("Plain", "plain"), exporters=exporters,
                         routes=[{"match": 'kind == "alert"', "to": ["hook", "archive"]}])
    fire_and_resolve(scene, 1)

    def archived():
        return [record for record in program.jsonl(tmp_path / "out") if record.get("state") in ("firing", "resolved")]

    net.wait_until("the archive to have all", lambda: len(archived()) == 2 * len(SERIES))
    scene.hook.up()
    check_all_arrive(scene, 1)
    assert {edge["id"] for edge in archived()} == {edge["id"] for edge in scene.edges()}


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed(scene, status):
    scene.hook.script = [fakes.Answer(status, headers={"Retry-After": "2"})]
    scene.play(alerting("Plain", "plain"))
    scene.vectors["plain"] = SERIES[:1]
    scene.wait_states("firing")
    first, second = scene.hook.requests[:2]
    assert 2.0 <= second.when - first.when < 6.0
    assert first.json() == second.json()


def test_retry_after_as_a_date(scene):
    moment = time.time() + 3.0
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(moment))
    scene.hook.script = [fakes.Answer(503, headers={"Retry-After": date})]
    scene.play(alerting("Plain", "plain"))
    scene.vectors["plain"] = SERIES[:1]
    scene.wait_states("firing")
    assert scene.hook.requests[1].when >= int(moment)


def test_no_answer_is_retried(scene):
    scene.hook.script = [fakes.Answer(drop=True), fakes.Answer(200, b"0123456789", truncate=3)]
    scene.play(alerting("Plain", "plain"))
    scene.vectors["plain"] = SERIES[:1]
    net.wait_until("a whole answer", lambda: any(
        request.status == 200 and request.completed for request in scene.hook.requests))
    assert len({request.json()["id"] for request in scene.hook.requests}) == 1


def test_a_rejected_record_does_not_block_the_next(scene):
    """400 says this record will never be taken: it is set aside, counted and logged, and the next one goes out."""
    scene.hook.script = [400]
    scene.play(alerting("Plain", "plain"))
    scene.vectors["plain"] = SERIES[:1]
    net.wait_until("the refused request", lambda: len(scene.hook.requests) == 1)
    scene.vectors["plain"] = []
    scene.wait_states("resolved")
    assert [request.status for request in scene.hook.requests] == [400, 200]
    assert "400" in scene.program.process.log()


def test_unauthorized_holds_everything(scene):
    """401 is a mistake in the configuration: nothing is thrown away while it lasts."""
    scene.hook.script = [401] * 3
    scene.play(alerting("Plain", "plain"))
    fire_and_resolve(scene, 1)
    if len(scene.hook.requests) < 4:
        scene.program.sigterm()
        scene.hook.script = []
        scene.program.start()
        scene.program.wait_ready()
    check_all_arrive(scene, 1)
