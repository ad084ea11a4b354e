"""Dead letters of a stream while Telex runs: listed, shown, given again, thrown away; also under kills."""

import json
import subprocess
import time

import pytest

import net
from fakes import Answer
from telex import BINARY, admin_headers, server_section
from test_streams import FAST, command, give, health, restart_with, start_sink, status, stream, wait_done  # noqa: F401


def start_with_token(start_telex, config):
    program = start_telex({"receive": {"events": True}})
    restart_with(program, config)
    return program


def letters(program, query="", name="health"):
    answer = program.get(f"/api/v1/streams/{name}/dead{query}", headers=admin_headers("adm"))
    assert answer.status == 200, answer.text
    return answer.json()["data"]


def ask(program, verb, query):
    return net.post(f"{program.url}/api/v1/streams/health/dead/{verb}?{query}", b"", headers=admin_headers("adm"))


def whole(program, letter):
    return program.get(f"/api/v1/streams/health/dead/{letter['id']}", headers=admin_headers("adm")).json()["data"]


def give_apart(program, count):
    """Each event is read by itself, so that each that is refused is a letter."""
    for number in range(count):
        give(program, [health(number)])
        wait_done(program, number + 1)


def refuse(sink, numbers, code=422):
    sink.refuse = lambda event: code if event["id"] in {str(n) for n in numbers} else None


def test_refused_events(start_telex, start_sink):
    sink = start_sink()
    refuse(sink, [3, 5, 7], Answer(422, "no such node: 4"))
    program = start_with_token(start_telex, stream(sink))
    give_apart(program, 10)
    assert status(program)["dead_letters"] == {"refused": 3, "unreadable": 0}
    gauge = program.metrics()["telex_stream_dead_letters"]
    assert {value for labels, value in gauge.items() if "kind=refused" in labels} == {3}

    found = letters(program)
    assert found["next"] is None and len(found["letters"]) == 3
    by_event = {letter["events"][0]["id"]: letter for letter in found["letters"]}
    assert set(by_event) == {"3", "5", "7"}
    letter = by_event["5"]
    assert letter["kind"] == "refused" and letter["status"] == 422 and letter["records"] == 1
    assert letter["events"][0]["source"] == "nvsentinel://c1/healthevents" and "answered 422: no such node" in letter["reason"]
    assert whole(program, letter)["events"][0]["data"]["healthEvent"]["number"] == 5
    page = letters(program, "?limit=1")
    assert [page["letters"][0], *letters(program, f"?from={page['next']}")["letters"]] == found["letters"]
    text = command(program, "dead", "health").stdout
    assert letter["id"] in text and "event 5" in text and "answered 422" in text
    assert text.splitlines()[-1] == "3 letters, 3 events"
    assert json.loads(command(program, "dead", "health", letter["id"]).stdout)["id"] == letter["id"]
    assert "3 refused events" in command(program, "status", "health").stdout

    refuse(sink, [7])  # somebody mended the sink, nearly
    middle = command(program, "replay", "health", letter["id"])
    assert middle.returncode == 0 and middle.stdout == "1 letter delivered (1 event), 0 stay\n", middle
    assert sink.ids()[-1] == "5"
    assert {l["events"][0]["id"] for l in letters(program)["letters"]} == {"3", "7"}
    rest = command(program, "replay", "health", "--all")
    assert rest.returncode == 1 and rest.stdout == "1 letter delivered (1 event), 1 stays (1 event)\n", rest
    assert "stays: answered 422" in rest.stderr
    assert {l["events"][0]["id"] for l in letters(program)["letters"]} == {"7"}
    restart_with(program, stream(sink))
    left = letters(program)["letters"]
    assert {l["events"][0]["id"] for l in left} == {"7"} and status(program)["dead_letters"]["refused"] == 1
    gone = command(program, "discard", "health", left[0]["id"])
    assert gone.stdout == "1 letter discarded (1 event)\n", gone
    assert letters(program)["letters"] == []
    assert command(program, "dead", "health").stdout == "no dead letters\n"
    assert command(program, "dead", "health", "--json").stdout == ""
    assert status(program)["dead_letters"] == {"refused": 0, "unreadable": 0}
    again = command(program, "discard", "health", left[0]["id"])
    assert again.returncode == 1 and "no letter" in again.stderr
    assert sink.copies == 0 and sorted(map(int, sink.ids())) == [0, 1, 2, 3, 4, 5, 6, 8, 9]


def test_a_letter_of_many_events(start_telex, start_sink):
    """What is refused again of it is a letter of its own; what is not has left."""
    sink = start_sink()
    refuse(sink, range(30), 400)
    program = start_with_token(start_telex, stream(sink, sink={"endpoint": sink.url, "mode": "batched"}, workers=1))
    give(program, [health(i) for i in range(30)])
    wait_done(program, 30)
    found = letters(program)["letters"]
    assert sum(letter["records"] for letter in found) == 30 and len(found) < 10
    assert sum(len(whole(program, letter)["events"]) for letter in found) == 30
    refuse(sink, [4, 11], 400)
    done = command(program, "replay", "health", "--all")
    assert " delivered (28 events), " in done.stdout and "(2 events)" in done.stdout.split(" stay")[1], done
    assert {e["id"] for letter in letters(program)["letters"] for e in letter["events"]} == {"4", "11"}
    assert status(program)["dead_letters"]["refused"] == 2
    assert set(sink.ids()) == {str(i) for i in range(30)} - {"4", "11"} and sink.copies == 0


def test_what_is_gone_is_gone_offline_too(start_telex, start_sink):
    sink = start_sink()
    refuse(sink, range(4))
    program = start_with_token(start_telex, stream(sink, workers=1))
    give_apart(program, 4)
    ids = {letter["events"][0]["id"]: letter["id"] for letter in letters(program)["letters"]}
    assert command(program, "discard", "health", ids["1"], ids["2"]).returncode == 0
    program.sigterm()
    folder = program.folder / "data" / "dead" / "events-health"
    for words in (("dead", "health"), ("discard", "health", "--all"), ("replay", "health", ids["0"])):
        done = command(program, *words)
        assert done.returncode == 1 and done.stdout == "" and "Telex does not run" in done.stderr, done
        assert "telex queue" in done.stderr and str(folder) in done.stderr and "stream-health" not in done.stderr
    assert "no dead letters" in command(program, "dead", "nobody").stderr
    done = subprocess.run([BINARY, "queue", "export", folder], text=True, capture_output=True, check=True)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["0", "3"]
    assert "form" not in done.stderr
    sink.refuse = lambda event: None
    done = subprocess.run([BINARY, "queue", "replay", "-c", program.config_path, "--to", "events-health", "--remove", folder],
                          text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sink.ids() == ["0", "3"]
    program.start()
    program.wait_ready()
    assert status(program)["dead_letters"] == {"refused": 0, "unreadable": 0}
    assert letters(program)["letters"] == []


def test_unreadable_changes(start_telex, start_sink, tmp_path):
    sink = start_sink()
    lines = tmp_path / "in.jsonl"
    lines.write_bytes(b'{"checkName":"a","nodeName":"n1","id":"1"}\n'
                      b'no JSON \xff\n'
                      b'{"other":"thing","id":"3"}\n'
                      b'{"more":[1,2.50,{"x":null}],"id":"4"}\n')
    source = {"type": "file", "path": str(lines), "start_at": "beginning", "id_field": "id"}
    config = stream(sink, source=source, event={"shape": "health"})
    program = start_with_token(start_telex, config)
    wait_done(program, 4)
    assert sink.ids() == ["1"] and status(program)["dead_letters"] == {"refused": 0, "unreadable": 3}
    bytes_that_are_none, other, more = letters(program)["letters"]
    assert {letter["kind"] for letter in (bytes_that_are_none, other, more)} == {"unreadable"}
    assert other["from"]["form"] == "document" and other["from"]["id"] == "3" and "nodeName" in other["reason"]
    assert ":" in other["from"]["position"]
    shown = json.loads(command(program, "dead", "health", bytes_that_are_none["id"]).stdout)
    assert "base64" in shown and shown["from"]["form"] == "broken"
    shown = json.loads(command(program, "dead", "health", more["id"]).stdout)
    assert json.loads(shown["text"])["more"] == [1, 2.5, {"x": None}]
    done = command(program, "replay", "health", "--all")  # nothing was mended
    assert done.returncode == 1 and "0 letters delivered, 3 stay (3 events)" in done.stdout
    assert "could not read it" in done.stderr and "nodeName" in done.stderr

    restart_with(program, stream(sink, source=source, event={"shape": "auto"}, match='id != "3"'))  # now it is
    done = command(program, "replay", "health", "--all")
    assert "1 letter delivered (1 event), 1 left out by `match`, 1 stays (1 event)" in done.stdout, done
    assert sink.ids() == ["1", "4"] and sink.taken[-1]["data"]["record"]["more"] == [1, 2.5, {"x": None}]
    assert command(program, "discard", "health", "--all").stdout == "1 letter discarded (1 event)\n"
    assert status(program)["dead_letters"] == {"refused": 0, "unreadable": 0}


def test_what_used_up_its_tries_says_so(start_telex, start_sink):
    sink = start_sink()
    refuse(sink, [0], Answer(500, "sink says no"))
    program = start_with_token(start_telex, stream(sink, failureHandling={**FAST, "maxRetries": 2}))
    give(program, [health(0)])
    wait_done(program, 1)
    letter, = letters(program)["letters"]
    assert letter["reason"] == "after 3 tries: answered 500: sink says no" and letter["status"] == 500


def test_the_last_line_counts_what_is_still_a_letter(start_telex, start_sink):
    sink = start_sink()
    refuse(sink, range(3))
    program = start_with_token(start_telex, stream(sink))
    give_apart(program, 3)
    sink.refuse = lambda event: None
    ids = [letter["id"] for letter in letters(program)["letters"]]
    assert command(program, "replay", "health", ids[0]).returncode == 0
    assert command(program, "discard", "health", ids[1]).returncode == 0
    program.sigterm()
    last = program.process.log().strip().splitlines()[-1]
    assert "events-health: 1 dead letter" in last and "not everything" in last, last
    program.start()
    program.wait_ready()
    refuse(sink, [3])
    give(program, [health(3)])
    wait_done(program, 4)
    assert command(program, "discard", "health", "--all").stdout == "2 letters discarded (2 events)\n"
    program.sigterm()
    assert "everything was delivered" in program.process.log().strip().splitlines()[-1]
    assert "not everything" not in program.process.log().strip().splitlines()[-1]


def test_a_sink_that_is_away_keeps_letters_where_they_are(start_telex, start_sink):
    sink = start_sink()
    refuse(sink, [0, 1])
    program = start_with_token(start_telex, stream(sink))
    give_apart(program, 2)
    ids = [letter["id"] for letter in letters(program)["letters"]]
    sink.down()
    done = command(program, "replay", "health", "--all")
    assert done.returncode == 1 and "the rest stays" in done.stderr, done
    assert done.stdout == "0 letters delivered, 2 stay (2 events)\n"
    assert command(program, "replay", "health", *ids).stdout == "0 letters delivered, 2 stay\n"
    sink.up()
    sink.refuse = lambda event: None
    sink.script = [Answer(401)]
    done = command(program, "replay", "health", "--all")
    assert done.returncode == 1 and "answered 401" in done.stderr, done
    assert status(program)["dead_letters"]["refused"] == 2
    assert command(program, "replay", "health", "--all").returncode == 0
    assert sink.ids() == ["0", "1"]


def test_what_is_wrong_is_said(start_telex, start_sink):
    sink = start_sink()
    program = start_with_token(start_telex, stream(sink))
    assert program.get("/api/v1/streams/health/dead").status in (401, 403)
    assert program.get("/api/v1/streams/nobody/dead", headers=admin_headers("adm")).status == 404
    assert program.get("/api/v1/streams/health/dead/refused-1", headers=admin_headers("adm")).status == 404
    for path in ("/x", "/refused-0", "/refused-"):
        assert program.get("/api/v1/streams/health/dead" + path, headers=admin_headers("adm")).status == 400
    assert ask(program, "replay", "").status == 400
    assert ask(program, "replay", "id=refused-9").status == 404
    assert ask(program, "burn", "all=true").status == 404
    assert letters(program)["letters"] == [] and not (program.folder / "data" / "dead").exists()
    assert command(program, "replay", "health").returncode == 2
    assert command(program, "discard", "health", "--all", "refused-1").returncode == 2


def test_kills_in_a_replay_lose_no_letter(start_telex, start_sink):
    """Each letter is at the sink or still a letter, whenever the program dies; copies have the same id."""
    sink = start_sink()
    count = 300
    refuse(sink, range(count), 400)
    config = stream(sink, sink={"endpoint": sink.url}, workers=4)
    program = start_with_token(start_telex, config)
    give(program, [health(i, node=f"n{i % 20}") for i in range(count)])
    wait_done(program, count)
    assert status(program)["dead_letters"]["refused"] == count
    sink.refuse = lambda event: None
    for kill in range(8):
        replay = subprocess.Popen([BINARY, "events", "replay", "health", "--all", "-c", program.config_path],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = len(sink.taken)
        net.wait_until("some", lambda: len(sink.taken) > before + 10 or replay.poll() is not None, 10)  # noqa: B023
        time.sleep(0.003 * kill)
        program.sigkill()
        replay.wait(30)
        program.start()
        program.wait_ready()
        kept = {e["id"] for letter in letters(program, "?limit=1000")["letters"] for e in whole(program, letter)["events"]}
        assert kept | set(sink.ids()) == {str(i) for i in range(count)}
        assert status(program)["dead_letters"]["refused"] == len(kept)
    done = command(program, "replay", "health", "--all")
    assert done.returncode == 0, done
    assert letters(program)["letters"] == []
    assert set(sink.ids()) == {str(i) for i in range(count)}


@pytest.mark.parametrize("workers", [1, 4])
def test_a_replay_beside_a_stream_that_goes_on(start_telex, start_sink, workers):
    sink = start_sink()
    refuse(sink, range(0, 100, 2))
    program = start_with_token(start_telex, stream(sink, workers=workers, failureHandling=FAST))
    give(program, [health(i, node=f"n{i % 7}") for i in range(100)])
    wait_done(program, 100)
    sink.refuse = lambda event: None
    give(program, [health(i, node=f"n{i % 7}") for i in range(100, 400)])
    assert command(program, "replay", "health", "--all").returncode == 0
    wait_done(program, 400)
    assert set(sink.ids()) == {str(i) for i in range(400)} and sink.copies == 0


def test_letters_of_a_stream_with_a_buffer(start_telex, start_sink):
    sink = start_sink()
    refuse(sink, [1])
    program = start_with_token(start_telex, stream(sink, buffer=True))
    give(program, [health(i) for i in range(3)])
    net.wait_until("the letter", lambda: status(program)["dead_letters"]["refused"] == 1, 30)
    sink.refuse = lambda event: None
    assert command(program, "replay", "health", "--all").stdout == "1 letter delivered (1 event), 0 stay\n"
    assert sorted(sink.ids()) == ["0", "1", "2"]
    assert status(program)["dead_letters"]["refused"] == 0


def test_letters_of_others_in_the_same_box_are_left_alone(start_telex, start_sink):
    sink = start_sink()
    sink.refuse = lambda event: 422
    config = {"receive": {"events": True},
              "exporters": {"out": {"type": "cloudevents", "endpoint": sink.url}},
              "events": {name: {"metadata": {"cluster": name}, "to": "out", "buffer": True} for name in ("health", "other")}}
    program = start_with_token(start_telex, config)
    for number in range(2):
        give(program, [health(number)])
        net.wait_until("both", lambda n=number: [status(program, s)["dead_letters"]["refused"] for s in ("health", "other")] == [n + 1] * 2)
    for name in ("health", "other"):
        found = letters(program, name=name)["letters"]
        assert [e["source"] for letter in found for e in letter["events"]] == [f"nvsentinel://{name}/healthevents"] * 2, found
        assert status(program, name)["dead_letters"] == {"refused": 2, "unreadable": 0}
    others = {letter["id"] for letter in letters(program, name="other")["letters"]}
    for verb in ("replay", "discard"):
        assert ask(program, verb, f"id={min(others)}").status == 404
    done = command(program, "discard", "health", "--all")
    assert done.stdout == "2 letters discarded (2 events)\n", done
    assert status(program, "health")["dead_letters"]["refused"] == 0
    assert {letter["id"] for letter in letters(program, name="other")["letters"]} == others
    sink.refuse = lambda event: None
    assert command(program, "replay", "health", "--all").stdout == "0 letters delivered, 0 stay\n"
    assert sink.ids() == []
    assert command(program, "replay", "other", "--all").stdout == "2 letters delivered (2 events), 0 stay\n"
    assert status(program, "other")["dead_letters"]["refused"] == 0


def test_unreadable_changes_of_a_stream_to_several(start_telex, start_sink, tmp_path):
    """Each of the several has refused events of its own: where is said; what is the stream's can be worked with."""
    left, right = start_sink(), start_sink()
    right.refuse = lambda event: 422
    lines = tmp_path / "in.jsonl"
    lines.write_bytes(b'{"checkName":"a","nodeName":"n1","id":"1"}\n{"other":"thing","id":"3"}\nnone\n')
    source = {"type": "file", "path": str(lines), "start_at": "beginning", "id_field": "id"}
    config = {"exporters": {"both": {"type": "multi", "exporters": [
        {"name": "l", "type": "cloudevents", "endpoint": left.url}, {"name": "r", "type": "cloudevents", "endpoint": right.url}]}},
        "events": {"health": {"metadata": {"cluster": "c1"}, "to": "both", "buffer": True, "source": source,
                              "event": {"shape": "health"}}}}
    program = start_with_token(start_telex, config)
    wait_done(program, 3)
    net.wait_until("the letters", lambda: status(program)["dead_letters"] == {"refused": 1, "unreadable": 2})

    found = letters(program)
    assert [letter["kind"] for letter in found["letters"]] == ["unreadable"] * 2
    assert {where["exporter"]: where["records"] for where in found["elsewhere"]} == {"both/l": 0, "both/r": 1}, found["elsewhere"]
    shown = command(program, "dead", "health")
    assert shown.returncode == 0 and "telex queue" in shown.stderr and "dead/both/r" in shown.stderr, shown
    answer = ask(program, "replay", "id=refused-1")
    assert answer.status == 409 and "dead/both/r" in answer.text
    config["events"]["health"]["event"] = {"shape": "auto"}
    restart_with(program, config)
    done = command(program, "replay", "health", "--all")
    assert done.stdout == "1 letter delivered (1 event), 1 stays (1 event)\n", done
    net.wait_until("the event", lambda: left.ids() == ["1", "3"])
    assert command(program, "discard", "health", "--all").stdout == "1 letter discarded (1 event)\n"
    net.wait_until("counts", lambda: status(program)["dead_letters"] == {"refused": 2, "unreadable": 0})


def test_letters_of_a_stream_that_is_taken_out(start_telex, start_sink, tmp_path):
    """They are told, listed and discarded; a reset leaves them."""
    sink = start_sink()
    lines = tmp_path / "in.jsonl"
    lines.write_bytes(b'not json\n')
    config = stream(sink, source={"type": "file", "path": str(lines), "start_at": "beginning", "id_field": "id"})
    program = start_with_token(start_telex, config)
    wait_done(program, 1)
    program.write_config({"server": server_section(program.port, "adm"), "receive": {"events": True}})
    assert net.post(program.url + "/-/reload", b"", headers=admin_headers("adm")).status == 200
    program.sigterm()
    last = program.process.log().strip().splitlines()[-1]
    assert 'not everything was delivered" left="stream-health: 1 unreadable change"' in last and "dead_letters=1" in last, last
    program.start()
    program.wait_ready()
    restart_with(program, {"receive": {"events": True}})
    left = status(program)
    gauge = program.metrics()["telex_stream_dead_letters"]
    assert {value for labels, value in gauge.items() if "kind=unreadable" in labels and "stream=health" in labels} == {1}
    assert left["dead_letters"] == {"refused": 0, "unreadable": 1} and "dead/stream-health" in left["reason"], left
    assert "events discard health" in left["reason"]
    assert [letter["kind"] for letter in letters(program)["letters"]] == ["unreadable"]
    answer = ask(program, "replay", "all=true")
    assert answer.status == 409 and "does not run" in answer.text
    reset = command(program, "reset", "health")
    assert reset.returncode == 0 and "dead/stream-health" in reset.stdout, reset
    again = command(program, "reset", "health")
    assert again.returncode == 1 and "discard health" in again.stderr, again
    checked = subprocess.run([BINARY, "check", "-c", program.config_path], text=True, capture_output=True, check=False)
    assert "dead/stream-health" in checked.stdout + checked.stderr, checked
    program.sigterm()
    assert "dead/stream-health" in command(program, "status").stdout
    program.start()
    program.wait_ready()
    if not any(s["name"] == "health" for s in program.get("/api/v1/streams").json()["data"]["streams"]):
        raise AssertionError("nothing tells of the letters")
    assert command(program, "discard", "health", "--all").stdout == "1 letter discarded (1 event)\n"
    net.wait_until("nothing is left", lambda: program.get("/api/v1/streams").json()["data"]["streams"] == [], 10)
    assert ask(program, "discard", "all=true").status == 404


def test_refused_events_of_a_stream_that_is_taken_out(start_telex, start_sink):
    """They are told before a reset and behind it, though nothing was ever unreadable."""
    sink = start_sink()
    refuse(sink, range(2))
    program = start_with_token(start_telex, stream(sink))
    give_apart(program, 2)
    restart_with(program, {"receive": {"events": True}})
    for _ in range(2):
        checked = subprocess.run([BINARY, "check", "-c", program.config_path], text=True, capture_output=True, check=False)
        assert "2 refused events are in" in checked.stdout + checked.stderr and "dead/events-health" in checked.stdout + checked.stderr, checked
        assert status(program)["dead_letters"] == {"refused": 2, "unreadable": 0}
        assert len(letters(program)["letters"]) == 2
        program.sigterm()
        assert "dead/events-health" in command(program, "status").stdout
        done = command(program, "reset", "health")
        assert "dead/events-health" in done.stdout or "no stream 'health' is known" in done.stderr, done
        program.start()
        program.wait_ready()
        assert "2 refused events are in" in program.process.log()
    assert command(program, "discard", "health", "--all").stdout == "2 letters discarded (2 events)\n"
    net.wait_until("nothing is left", lambda: program.get("/api/v1/streams").json()["data"]["streams"] == [], 10)


def test_an_exporter_that_is_called_like_a_streams_own(start_telex, start_sink):
    """What another stream left in its folder makes no stream of that name."""
    sink = start_sink()
    refuse(sink, [0])
    exporters = {"receive": {"events": True}, "exporters": {"events-other": {"type": "cloudevents", "endpoint": sink.url}}}
    program = start_with_token(start_telex, {**exporters, "events": {"health": {"metadata": {"cluster": "c1"}, "to": "events-other"}}})
    give_apart(program, 1)
    assert status(program)["dead_letters"]["refused"] == 1
    restart_with(program, exporters)
    assert "other" not in [s["name"] for s in program.get("/api/v1/streams").json()["data"]["streams"]]
