"""What a history run is played on: a Telex with one stream, a sink and a token server that fail, and what was kept of its position."""

import json
import pathlib
import sqlite3
import subprocess
import sys
import threading
import time

import event_oracle as oracle
import faulty_sink
import faulty_tls
import net
import telex
from fakes import Answer, Fake, json_answer
from process import Process

NAME, TOKEN = "run", "adm"
SINK = pathlib.Path(faulty_sink.__file__)
FAST = {"initialBackoff": "50ms", "maxBackoff": "300ms", "maxRetries": 1000000}
LOOK_EVERY = 0.2
DRAIN_MAX = 1200.0


class Tokens(faulty_tls.OverTls, Fake):
    """Tokens that live for `life` seconds, whatever was said; one request and one handshake in ten fail."""

    def __init__(self, rng, life, certificates):
        super().__init__()
        self.use_certificates(certificates)
        self.rng, self.life, self.given = rng, life, 0

    def welcome(self):
        return faulty_tls.cut_handshake if self.rng.random() < 0.1 else faulty_tls.welcome

    def answer(self, request):
        del self.requests[:]
        if self.rng.random() < 0.1:
            return Answer(503)
        self.given += 1
        told = max(1, round(self.life * self.rng.choice((0.6, 1, 1.6))))
        return json_answer({"access_token": f"{int((time.time() + self.life) * 1000)}.{self.given}", "token_type": "Bearer",
                            "expires_in": told})


class Places:
    """What is kept of the position, read beside Telex again and again."""

    def __init__(self, path):
        self.path, self.seen = path, []
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def start(self):
        self.thread.start()
        return self

    def _run(self):
        while not self.ends.wait(LOOK_EVERY):
            self.look()

    def look(self):
        try:
            db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=2)
            try:
                row = db.execute("SELECT position FROM streams WHERE name = ?", (NAME,)).fetchone()
            finally:
                db.close()
        except sqlite3.Error:
            return
        if row and row[0] and (not self.seen or self.seen[-1] != row[0]):
            self.seen.append(row[0])

    def stop(self):
        self.ends.set()
        self.thread.join()


class EventStation:
    """`program`, `sink` (a process), `tokens` and `places`; closed by who leaves the context."""

    def __init__(self, folder, rng, source, guarded=False, life=3.0, **options):
        self.folder, self.rng = folder, rng
        self.sink_folder = folder / "sink"
        self.sink_folder.mkdir(parents=True)
        self.sink_port, self.guarded = net.free_port(), guarded
        self.certificates = faulty_tls.make_certificates(folder / "tls")
        self.tokens = Tokens(rng, life, self.certificates).start()
        self.sink, self._taken = None, faulty_sink.Taken(self.sink_folder)
        self.counts = {"kills of telex": 0, "kills of the sink": 0, "kills of the server": 0, "clean stops": 0, "cut connections": 0}
        stream = {"source": source, "metadata": {"cluster": "c"}, "failureHandling": FAST, "workers": 4, **options,
                  "sink": {"endpoint": f"https://{net.HOST}:{self.sink_port}/", "timeout": "1s", "tls": self.tls(),
                           **options.get("sink", {})}}
        if guarded:
            stream["oidc"] = {"tokenUrl": self.tokens.url + "/token", "clientId": "me", "client_secret": "s", "tls": self.tls()}
        self.program = telex.Telex(folder / "telex", {})
        self.program.write_config({"server": telex.server_section(self.program.port, TOKEN), "receive": {"events": True},
                                   "events": {NAME: stream}, "shutdown_timeout": "5s"})
        self.places = Places(folder / "telex" / "data" / "streams.db")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tokens.stop()
        for process in (self.sink, self.program.process):
            if process is not None and process.child is not None:
                process.kill()

    # -- the sink

    def tls(self):
        return {"ca_file": str(self.certificates / "ca.pem")}

    def start_sink(self):
        words = [sys.executable, "-B", SINK, self.sink_port, self.sink_folder, self.rng.randrange(10**6), self.certificates]
        self.sink = Process("sink", [*words, *["guarded"] * self.guarded], self.folder).start()

    def kill_sink(self):
        self.counts["kills of the sink"] += 1
        self.sink.kill()
        time.sleep(self.rng.random() * 0.5)
        self.start_sink()

    def calm(self):
        (self.sink_folder / "calm").touch()

    def taken(self):
        """All events that the sink took; the list grows with the next call."""
        return self._taken.read()

    def answers(self):
        found = {}
        for line in (self.sink_folder / "answers").read_text().split():
            found[line] = found.get(line, 0) + 1
        return found

    # -- the program

    def start(self):
        self.program.start()
        net.wait_until("telex to answer", lambda: net.get(self.program.url + "/-/healthy", timeout=2).status == 200, 60)

    def kill_telex(self):
        self.counts["kills of telex"] += 1
        self.program.sigkill()
        self.places.look()
        time.sleep(self.rng.random() * 0.2)
        self.start()

    def stop_telex(self):
        self.counts["clean stops"] += 1
        assert self.program.sigterm(60) == 0, "a clean end"
        self.places.look()

    def status(self):
        streams = self.program.get("/api/v1/streams").json()["data"]["streams"]
        return next(stream for stream in streams if stream["name"] == NAME)

    def wait_state(self, state, deadline=60):
        net.wait_until(f"the stream to be {state}", lambda: self.status()["state"] == state, deadline)

    def dead(self):
        """The ids of the dead letters, as `telex queue export` says."""
        folder = self.folder / "telex" / "data" / "dead" / f"events-{NAME}"
        if not folder.exists():
            return set()
        done = subprocess.run([telex.BINARY, "queue", "export", folder], check=True, capture_output=True, timeout=120)
        return {json.loads(line)["id"] for line in done.stdout.splitlines()}

    def command(self, *words):
        return subprocess.run([telex.BINARY, "events", *words, "-c", self.program.config_path], text=True, capture_output=True,
                              timeout=60, check=False)

    # -- the end

    def wait_for(self, owed, patience=60.0):
        """Waits until all is delivered or dead and nothing more is in flight, or nothing came for `patience` seconds; what is
        missing then is for the oracle to say."""
        wanted, seen, begun = {number for number, row in owed.items() if not row.poison}, 0, time.monotonic()
        quiet_since = begun
        while time.monotonic() - quiet_since < patience and time.monotonic() - begun < DRAIN_MAX:
            taken = self.taken()
            wanted.difference_update(event["id"] for event in taken[seen:])
            if len(taken) > seen:
                seen, quiet_since = len(taken), time.monotonic()
            now = self.status()
            if not wanted and now["in_flight"] == 0 and now["backfill"]["phase"] != "running":
                return
            time.sleep(0.3)

    def again_after_a_clean_stop(self):
        """Texts: what is delivered once more after a clean stop and start, when all was delivered."""
        self.stop_telex()
        before = len(self.taken())
        self.start()
        self.wait_state("running")
        time.sleep(1.0)
        self.stop_telex()
        more = len(self.taken()) - before
        return [f"{more} events were delivered again after a clean stop"] if more else []

    def violations(self):
        path = self.sink_folder / "violations"
        return path.read_text().splitlines() if path.exists() else []

    def judge(self, owed, unsure, txns, row_of, apart=()):
        """(violations, figures) of the whole history."""
        taken, dead = self.taken(), self.dead()
        known = {**unsure, **owed}
        problems = (oracle.custody(owed, unsure, taken, dead) + oracle.copies(taken, apart) + oracle.order(known, txns, taken)
                    + oracle.contents(known, taken, row_of) + oracle.forward(self.places.seen, oracle.parse_place)
                    + self.violations())
        answers = self.answers()
        below = sum(answers.pop(how, 0) for how in faulty_sink.BELOW_HTTP)
        counts = {name: count for name, count in self.counts.items() if count}
        return problems, {**counts, "rows owed": len(owed), "requests": sum(answers.values()), "not 2xx": sum(
            count for status, count in answers.items() if status != "204"), "connections in trouble": below, "tokens": self.tokens.given,
            "refused tokens": answers.get("401", 0), "events taken": len(taken), "copies": oracle.count_copies(taken),
            "dead letters": len(dead), "positions seen": len(self.places.seen)}
