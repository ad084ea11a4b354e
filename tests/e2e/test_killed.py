"""Killed with SIGKILL while it evaluates, while it tells and while it reloads, before a real Alertmanager: what that
notifies is each alert once, and its end once."""

import random
import time

import pytest
import yaml

import fakes
import net
import servers
from telex import FAST_RETRY, alerting, group

COUNT, KILLS = 30, 3


class Manager(servers.Alertmanager):
    """Notifies each alert by itself and at once; says nothing again that it said."""

    def __init__(self, folder, url):
        super().__init__(folder, resolve_timeout="1h")
        self.url_to = url

    def prepare(self):
        route = {"receiver": "hook", "group_by": ["..."], "group_wait": "0s", "group_interval": "200ms",
                 "repeat_interval": "24h"}
        (self.folder / "alertmanager.yml").write_text(yaml.safe_dump({
            "global": {"resolve_timeout": self.resolve_timeout}, "route": route,
            "receivers": [{"name": "hook", "webhook_configs": [{"url": self.url_to, "send_resolved": True}]}]}))


def told(receiver):
    """What Alertmanager notified: {instance: [(status, start)]}, a post that it made again counted once."""
    found = {}
    for request in list(receiver.requests):
        for alert in request.json()["alerts"]:
            notices = found.setdefault(alert["labels"]["instance"], [])
            if (alert["status"], alert["startsAt"]) not in notices[-1:]:
                notices.append((alert["status"], alert["startsAt"]))
    return found


class Stage:
    """A slow datasource, Telex, a slow way to an Alertmanager, and who that notifies."""

    def __init__(self, scene, manager, way, receiver):
        self.scene, self.manager, self.way, self.receiver = scene, manager, way, receiver
        self.active, self.rules = False, 0
        scene.prom.respond = self.respond
        way.answer = self.forward
        exporters = {"am": {"type": "alertmanager", "url": way.url, **FAST_RETRY}}
        self.program = scene.play(alerting("Many", "many"), exporters=exporters, routes=[{"to": ["am"]}])

    def respond(self, text, time_ns):
        vector = [({"instance": f"i{number}"}, 1.0) for number in range(COUNT)] if self.active and text == "many" else []
        answer = fakes.vector_answer(vector, time_ns)
        answer.delay = 0.08
        return answer

    def forward(self, request):
        """Alertmanager has it before Telex hears so."""
        answer = net.post(self.manager.url + request.path, request.raw, headers={"Content-Type": "application/json"})
        return fakes.Answer(answer.status, answer.body, delay=0.1)

    def next(self, things):
        """Waits for one thing more in a list that grows."""
        seen = len(things)
        net.wait_until("one more", lambda: len(things) > seen, every=0.005)

    def evaluation(self):
        self.next(self.scene.prom.queries)

    def notification(self):
        """In the middle of one, when there is something to tell; by itself it does not repeat what it told."""
        seen, end = len(self.way.requests), time.monotonic() + 1
        while len(self.way.requests) == seen and time.monotonic() < end:
            time.sleep(0.005)

    def reload(self):
        self.rules += 1
        rules = [alerting("Many", "many"), *(alerting(f"New{number}", "none") for number in range(self.rules))]
        self.program.write_rules({"scene.yaml": [group("scene", rules)]})
        self.program.sighup()
        time.sleep(random.uniform(0, 0.03))

    def kill(self, moment):
        for _ in range(KILLS):
            getattr(self, moment)()
            self.program.sigkill()
            self.program.start().wait_ready()

    def wait_told(self, *states):
        def reached():
            found = told(self.receiver)
            assert len(found) == COUNT
            got = {tuple(status for status, _ in notices) for notices in found.values()}
            assert got == {states}, got
            return True
        net.wait_until(f"{states} of all", reached, 30)


@pytest.fixture
def stage(scene, start_webhook, tmp_path):
    receiver, way = start_webhook(), start_webhook()
    manager = Manager(tmp_path, receiver.url).start()
    yield Stage(scene, manager, way, receiver)
    manager.stop()


@pytest.mark.parametrize("moment", ["evaluation", "notification", "reload"])
def test_each_alert_and_its_end_is_told_once(stage, moment):
    stage.active = True
    stage.kill(moment)
    stage.wait_told("firing")
    stage.kill(moment)
    stage.active = False
    stage.kill(moment)
    stage.wait_told("firing", "resolved")
    stage.active = True
    stage.kill(moment)
    stage.wait_told("firing", "resolved", "firing")
    stage.scene.wait_evaluations("many", 5)
    stage.wait_told("firing", "resolved", "firing")
    for notices in told(stage.receiver).values():
        starts = [start for _, start in notices]
        assert starts[0] == starts[1] != starts[2], "an end has the start of what it ends"
