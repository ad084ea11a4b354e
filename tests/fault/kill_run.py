#!/usr/bin/python3
"""Kills Telex at random moments while alerts fire and resolve, and checks that nothing decided is lost.

    kill_run.py [--kills 200] [--seed N] [--folder DIR] [--series 50]

A scripted datasource answers three alerting rules (plain, `for`, `keep_firing_for`) from a seeded schedule. Telex
delivers to a webhook that refuses now and then, and to a file. It is killed with SIGKILL and started again, over and
over; then the schedule ends, the backlog drains, and for each alert the oracle compares the delivered edges with what
the datasource really answered. Also checked: both outputs got the same edges, an id never means two things, files hold
whole lines, evaluation times never go back, and the last start and end are clean.

Ends with one summary line. Exit status 0: all right; 1: a violation (the folder is kept).
"""

import argparse
import pathlib
import random
import shutil
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import fakes  # noqa: E402
import net  # noqa: E402
import oracle  # noqa: E402
import telex  # noqa: E402
from schedule import Schedule  # noqa: E402

MS = 10**6
# name, group interval, `for`, `keep_firing_for` (ms), share of the series. The durations are no multiples of the
# interval, so that rounding never decides.
RULES = (("Plain", 200, 0, 0, 0.4), ("Waits", 200, 700, 0, 0.3), ("Keeps", 500, 0, 800, 0.3))
MEAN_PHASE_S = 2.5
SLOTS_OLD_NS = 20 * 10**9  # how old a kept slot may be, with many short lives behind each other
REFUSED_SHARE = 0.05


class Life:
    """One process life: the datasource's queries [first, end) belong to it; killed or ended in peace."""

    def __init__(self, first):
        self.first = first
        self.end = None
        self.killed = False


class Run:
    def __init__(self, folder, seed, count):
        self.rng = random.Random(seed)
        now = time.time_ns()
        self.schedules = {name: Schedule(name, max(1, round(count * share)), seed, now, MEAN_PHASE_S)
                          for name, _, _, _, share in RULES}
        self.prom = fakes.FakeProm(self.respond).up()
        self.hook = RefusingWebhook(self.rng).up()
        self.out = folder / "out"
        exporters = {"hook": telex.webhook_exporter(self.hook.url), "out": telex.file_exporter(self.out)}
        config = {"datasource": {"url": self.prom.url}, "exporters": exporters,
                  "routes": [{"to": ["hook", "out"]}],
                  "state": {"snapshot_interval": "1s", "snapshot_bytes": "64KiB"}}
        self.program = telex.Telex(folder / "telex", config, {"rules.yaml": rule_groups()})
        self.lives = []

    def respond(self, text, time_ns):
        schedule = self.schedules[text]
        if schedule.error_at(time_ns):
            return self.prom.error("execution", "scripted failure")
        return schedule.vector(time_ns)

    def close(self):
        if self.program.process is not None:
            self.program.process.kill()
        self.prom.down()
        self.hook.down()

    # -- driving

    def live_and_kill(self):
        life = self.begin()
        if self.rng.random() < 0.2:
            time.sleep(self.rng.uniform(0.0, 0.15))
        else:
            self.await_evaluation(life)
            # Some lives are long enough for several snapshots, and for kills in the middle of one.
            time.sleep(self.rng.uniform(0.0, 1.2) if self.rng.random() < 0.75 else self.rng.uniform(1.2, 3.5))
        self.program.check_running()
        self.program.sigkill()
        self.end(life, killed=True)

    def await_evaluation(self, life):
        net.wait_until("an evaluation after the start", lambda: len(self.prom.queries) > life.first,
                       telex.READY_DEADLINE, every=0.01)

    def begin(self):
        life = Life(len(self.prom.queries))
        self.lives.append(life)
        self.program.start()
        return life

    def end(self, life, killed):
        """Closes a life once nothing of the dead process is left in our servers."""
        net.wait_until("connections to end", lambda: self.prom.connections + self.hook.connections == 0, 20, 0.005)
        life.end, life.killed = len(self.prom.queries), killed

    def drain_and_stop(self):
        """The last life: everything becomes false, the backlog empties, and Telex ends on request."""
        life = self.begin()
        self.await_evaluation(life)
        time.sleep(1.0)
        end_ns = time.time_ns() + 500 * MS
        for schedule in self.schedules.values():
            schedule.end_ns = end_ns
        self.program.wait_ready()
        net.wait_until("all alerts to resolve", lambda: not self.program.alerts(), 30)
        self.await_quiet()
        status = self.program.sigterm()
        self.end(life, killed=False)
        assert status == 0, f"telex ended with {status} on SIGTERM"
        self.program.check_log()

    def await_quiet(self, seconds=2.0, deadline=60.0):
        """Until the webhook has had no request for some seconds."""
        begun = time.time()
        def quiet():
            latest = self.hook.requests[-1].when if self.hook.requests else begun
            return time.time() - max(latest, begun) >= seconds
        net.wait_until("deliveries to cease", quiet, deadline)

    # -- judging

    def slots(self, rule, interval_ns=0):
        """[(query, certain, credits)] of a rule: the last one before each kill may not have been processed, and at the
        first one after a start nobody had watched since one of the slots before, answered or not: which one stands in a file that is
        written every five seconds, and not by a life that is shorter than a second."""
        result, before = [], []
        for life in self.lives:
            asked = [query for query in self.prom.queries[life.first:life.end] if query.text == rule]
            answered = [query for query in asked if query.completed]
            for query in answered:
                credits = (0,)
                if query is answered[0]:
                    firsts = {each.time_ns for each in asked if each.time_ns <= query.time_ns}
                    credits = credits_of(firsts, before, interval_ns)
                result.append((query, not life.killed or query is not answered[-1], credits))
            before += sorted(each.time_ns for each in asked)
        return result

    def problems(self):
        """All violations, as texts."""
        hook = [record for record in self.hook.accepted() if telex.is_final_edge(record)]
        file = [record for record in self.program.jsonl(self.out) if telex.is_final_edge(record)]
        found = list(self.prom.violations)
        found += same_ids(hook, file) + ids_mean_one_thing(hook + file)
        for name, interval_ms, for_ms, keep_ms, _ in RULES:
            rule = oracle.Rule(for_ms * MS, keep_ms * MS)
            found += times_go_forward(name, self.slots(name))
            found += self.alerts_explained(name, rule, interval_ms * MS, hook)
        found += unknown_alerts(hook, self.schedules)
        return found

    def alerts_explained(self, name, rule, interval_ns, records):
        found = []
        asked = self.slots(name, interval_ns)
        for series in self.schedules[name].series:
            mine = [record for record in records if record["rule"] == name
                    and record["labels"].get("instance") == series.labels["instance"]]
            edges, _ = oracle.distinct([oracle_edge(record) for record in mine])
            slots = [oracle.Slot(query.time_ns, any(labels is series.labels for labels, _ in query.vector), certain, credits)
                     for query, certain, credits in asked]
            problem = oracle.explain(rule, slots, edges)
            if problem:
                found.append(f"{name} {series.labels['instance']}: {problem}")
        return found

    def summary(self):
        edges = [record for record in self.hook.accepted() if telex.is_edge(record)]
        distinct = len({record["id"] for record in edges})
        unsure = sum(not certain for name, *_ in RULES for _, certain, _ in self.slots(name))
        kills = sum(life.killed for life in self.lives)
        return (f"{kills} kills, {len(self.prom.queries)} evaluations ({unsure} cut by a kill), "
                f"{distinct} edges delivered, {len(edges) - distinct} repeated deliveries")


def credits_of(firsts_ns, before, interval_ns):
    """What a timer may be moved by at the first slot of a life that had an answer: the time from one of the slots of the
    last seconds to the first one that was asked for, with an answer or without."""
    credits = {0}
    for first_ns in firsts_ns:
        recent = [slot_ns for slot_ns in before if first_ns - slot_ns <= SLOTS_OLD_NS] or before[-1:]
        credits |= {max(0, first_ns - slot_ns - interval_ns) for slot_ns in recent}
    return tuple(sorted(credits))


class RefusingWebhook(fakes.Webhook):
    """Answers some requests with 503, so that retries and kills meet."""

    def __init__(self, rng):
        super().__init__()
        self._rng = random.Random(rng.random())

    def answer(self, request):
        return fakes.Answer(503 if self._rng.random() < REFUSED_SHARE else 200)


def rule_groups():
    return [telex.group(f"g-{name}", [alerting(name, for_ms, keep_ms)], interval=f"{interval}ms")
            for name, interval, for_ms, keep_ms, _ in RULES]


def alerting(name, for_ms, keep_ms):
    fields = {"labels": {"severity": "page"}, "annotations": {"summary": "{{ $labels.instance }} is {{ $value }}"}}
    if for_ms:
        fields["for"] = f"{for_ms}ms"
    if keep_ms:
        fields["keep_firing_for"] = f"{keep_ms}ms"
    return telex.alerting(name, name, **fields)


def oracle_edge(record):
    return oracle.Edge(record["id"], record["state"], telex.decided_ns(record))


def same_ids(hook, file):
    one, other = ({record["id"] for record in records} for records in (hook, file))
    return [f"only the webhook got edge {identity}" for identity in sorted(one - other)] + \
           [f"only the file got edge {identity}" for identity in sorted(other - one)]


def ids_mean_one_thing(records):
    meaning, found = {}, []
    for record in records:
        told = (telex.edge_key(record), record["state"], record["timestamp"])
        if meaning.setdefault(record["id"], told) != told:
            found.append(f"id {record['id']} means {meaning[record['id']]} and {told}")
    return found


def times_go_forward(name, slots):
    times = [query.time_ns for query, *_ in slots]
    return [f"{name}: evaluated {later} after {earlier}"
            for earlier, later in zip(times, times[1:]) if later < earlier]


def unknown_alerts(records, schedules):
    known = {(name, series.labels["instance"]) for name, schedule in schedules.items() for series in schedule.series}
    return [f"edge of an unknown alert: {record['rule']} {record['labels']}" for record in records
            if (record["rule"], record["labels"].get("instance")) not in known]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--series", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None, help="default: from the clock; printed")
    parser.add_argument("--folder", type=pathlib.Path, default=None, help="default: a temporary folder")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    seed = arguments.seed if arguments.seed is not None else time.time_ns() % 10**9
    folder = arguments.folder or pathlib.Path(tempfile.mkdtemp(prefix="telex-kill-"))
    print(f"kill_run: seed {seed}, folder {folder}", flush=True)
    run = Run(folder, seed, arguments.series)
    try:
        for number in range(arguments.kills):
            run.live_and_kill()
            if (number + 1) % 50 == 0:
                print(f"kill_run: {run.summary()}", flush=True)
        run.drain_and_stop()
        problems = run.problems()
    except (OSError, RuntimeError, TimeoutError, AssertionError, ValueError, KeyError) as error:
        problems = [f"{type(error).__name__}: {error}"]
    finally:
        run.close()
    for problem in problems[:20]:
        print(f"kill_run: VIOLATION: {problem}")
    print(f"kill_run: {run.summary()}: {len(problems)} violations")
    if problems:
        print(f"kill_run: kept {folder}; again: kill_run.py --kills {arguments.kills} --seed {seed}")
        return 1
    if arguments.folder is None:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
