"""A scripted datasource, a webhook that remembers, and a Telex between them: the stage of most tests.

`scene.vectors[expr] = [(labels, value), ...]` is what the datasource answers from now on (or an Answer); what is not
set is empty. Rules are evaluated every 200 ms unless a test says otherwise.
"""

import net
import telex

INTERVAL_NS = 200 * 10**6
SETTLE = 15.0


class Scene:
    def __init__(self, prom, hook, start_telex):
        self.prom = prom
        self.hook = hook
        self.vectors = {}
        self.program = None
        self._start_telex = start_telex
        prom.respond = lambda text, time_ns: self.vectors.get(text, [])

    def config(self, **sections):
        return {"datasource": {"url": self.prom.url},
                "exporters": {"hook": telex.webhook_exporter(self.hook.url)},
                "routes": [{"match": 'kind == "alert"', "to": ["hook"]}], **sections}

    def play(self, *rules, interval="200ms", **sections):
        """Starts Telex with one group of these rules; sections replace parts of the config."""
        groups = [telex.group("scene", list(rules), interval=interval)]
        self.program = self._start_telex(self.config(**sections), {"scene.yaml": groups})
        return self.program

    # -- what came out

    def edges(self, rule=None, **labels):
        """Edges (firing, resolved) that the webhook accepted, in order, of a rule and with these labels."""
        return [edge for edge in self.hook.accepted() if telex.is_final_edge(edge)
                and rule in (None, edge["rule"]) and labels.items() <= edge["labels"].items()]

    def states(self, rule=None, **labels):
        return [edge["state"] for edge in self.edges(rule, **labels)]

    def wait_states(self, *states, rule=None, deadline=SETTLE, **labels):
        """Waits for exactly these edge states, in order; returns the edges."""
        def reached():
            got = self.states(rule, **labels)
            assert len(got) <= len(states), f"more edges than expected: {got}"
            return got == list(states)
        net.wait_until(f"edges {list(states)} of {rule or 'all rules'}", reached, deadline)
        return self.edges(rule, **labels)

    # -- what went in

    def slots(self, expr):
        """The evaluation times (ns) of an expression that were answered completely."""
        return [query.time_ns for query in list(self.prom.queries) if query.text == expr and query.request.completed]

    def accounted(self, expr, times_ms):
        """Whether these are the times of all evaluations of an expression; a stop may have cut the last one."""
        asked = {time_ns // 10**6 for time_ns in self.slots(expr)}
        return set(times_ms) in (asked, asked - {max(asked)})

    def wait_evaluations(self, expr, count=3, deadline=SETTLE):
        """Waits until an expression has been asked and answered `count` more times."""
        before = len(self.slots(expr))
        net.wait_until(f"{count} evaluations of {expr}", lambda: len(self.slots(expr)) >= before + count, deadline)

    def stays(self, rule, *states, expr, evaluations=4):
        """Fails when the edges of a rule are not exactly these after some more evaluations."""
        self.wait_evaluations(expr, evaluations)
        assert self.states(rule) == list(states)
