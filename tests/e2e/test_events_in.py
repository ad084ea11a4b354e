"""Events in: what was acknowledged is in the table, once, however it came; the handshake; telex events append."""

import gzip
import json
import sqlite3
import subprocess

import net
from telex import BINARY, server_section

EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": {"a": 1}}
STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"


def post(program, body, content_type=STRUCTURED, query="", **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return net.post(program.url + "/api/v1/events" + query, data, headers={"Content-Type": content_type, **names})


def rows(program):
    with sqlite3.connect(program.folder / "data" / "events.db") as db:
        return [row[0] for row in db.execute("SELECT event FROM events ORDER BY seq")]


def news(answer):
    return int(answer.headers["Telex-Events-New"]), int(answer.headers["Telex-Events-Known"])


def append(program, text, *options):
    return subprocess.run([BINARY, "events", "append", "-c", program.folder / "telex.yaml", *options, "-"], text=True,
                          input=text, capture_output=True, timeout=60, check=False)


def test_three_modes_and_plain_json(start_telex):
    program = start_telex({"receive": {"events": True}})
    answer = post(program, EVENT)
    assert answer.status == 202 and news(answer) == (1, 0)
    assert answer.text == "" and answer.headers.get("Content-Type") is None
    assert news(post(program, EVENT)) == (0, 1)
    answer = post(program, [{**EVENT, "id": str(i)} for i in range(5)], BATCHED)
    assert answer.status == 202 and news(answer) == (4, 1)
    assert post(program, [], BATCHED).status == 202
    answer = post(program, b"\x00\x01", "application/octet-stream", ce_specversion="1.0", ce_id="b", ce_source="/s",
                  ce_type="t", ce_extension="%C3%A9")
    assert answer.status == 202 and news(answer) == (1, 0)
    assert news(post(program, {"plain": 1}, "application/json", "?type=x&subject=y")) == (1, 0)
    assert news(post(program, {"plain": 1}, "application/json")) == (0, 1)
    assert news(post(program, {"plain": 1}, "application/json", Idempotency_Key="k")) == (1, 0)
    assert news(post(program, b'{"n":1}\n{"n":2}\n', "application/x-ndjson")) == (2, 0)
    assert news(post(program, gzip.compress(b'{"n":3}'), "application/json", Content_Encoding="gzip")) == (1, 0)
    stored = rows(program)
    assert len(stored) == 11
    assert any("é".encode() in row for row in stored) and any(b"telex.event" in row for row in stored)
    counts = program.metrics()["telex_receive_events_total"]
    assert counts[("news=new",)] == 11 and counts[("news=known",)] == 3


def test_what_makes_no_sense_is_refused(start_telex):
    program = start_telex({"receive": {"events": True, "max_body": 4096}})
    answer = post(program, [EVENT, {**EVENT, "id": ""}], BATCHED)
    assert answer.status == 400 and b"event 2" in answer.body and b"'id'" in answer.body
    answer = post(program, b'{"a":1}\n{"b" 2}\n', "application/json")
    assert answer.status == 400 and b"event 2" in answer.body
    assert post(program, EVENT, "application/cloudevents+avro").status == 415
    assert post(program, b"x", "text/plain").status == 415
    assert post(program, {"a": "x" * 5000}, "application/json").status == 413
    assert post(program, EVENT, Content_Encoding="br").status == 415
    assert rows(program) == []


def test_off_unless_asked_for(start_telex):
    program = start_telex({})
    assert post(program, EVENT).status == 404
    assert net.request("OPTIONS", program.url + "/api/v1/events").status == 404
    assert not (program.folder / "data" / "events.db").exists()


def test_on_and_off_with_a_reload(start_telex):
    program = start_telex({})
    for is_on, status in ((True, 202), (False, 404), (True, 202)):
        program.write_config({"receive": {"events": is_on}})
        assert program.reload().status == 200
        assert post(program, EVENT).status == status
    assert len(rows(program)) == 1


def test_the_handshake_is_answered(start_telex):
    program = start_telex({"receive": {"events": True}})
    answer = net.request("OPTIONS", program.url + "/api/v1/events",
                         headers={"WebHook-Request-Origin": "eventemitter.example.com", "WebHook-Request-Rate": "120"})
    assert answer.status == 200
    assert answer.headers["WebHook-Allowed-Origin"] == "eventemitter.example.com"
    assert answer.headers["WebHook-Allowed-Rate"] == "120"


def test_acknowledged_events_survive_a_kill(start_telex):
    program = start_telex({"receive": {"events": True}})
    for i in range(30):
        assert post(program, {**EVENT, "id": f"event-{i}"}).status == 202
    program.sigkill()
    stored = rows(program)
    assert all(any(f"event-{i}".encode() in row for row in stored) for i in range(30))


def test_credentials_are_asked_for(start_telex):
    program = start_telex({"receive": {"events": True}})
    guarded = {**server_section(program.port), "auth": {"bearer_token": "secret"}}
    program.write_config({"receive": {"events": True}, "server": guarded})
    assert program.reload().status == 200
    assert post(program, EVENT).status == 401
    assert post(program, EVENT, Authorization="Bearer secret").status == 202


def test_append_while_it_runs(start_telex):
    program = start_telex({"receive": {"events": True}})
    assert post(program, EVENT).status == 202
    done = append(program, json.dumps(EVENT) + "\n" + '{"plain": 1}\n', "--type", "mine", "--source", "/me")
    assert done.returncode == 0 and done.stderr.strip().endswith("1 new, 1 known already")
    assert any(b"mine" in row and b"/me" in row for row in rows(program))
    done = append(program, json.dumps([{"a": 1}, {"a": 2}], indent=2), "--id", "x")
    assert done.returncode == 0 and "2 new" in done.stderr
    bad = '{"specversion": "1.0", "id": "1", "source": "", "type": "t"}'
    done = append(program, "".join(f'{{"before": {i}}}\n' for i in range(20)) + bad + '\n{"behind": 1}\n')
    assert done.returncode == 1 and "-:21" in done.stderr and "20 new" in done.stderr, done.stderr
    done = append(program, '{"ok": 1}\n{"ok" 2}\n')
    assert done.returncode == 1 and "-:2:7: error: expected ':'" in done.stderr and "event 2" not in done.stderr
    for last, said in (("[1]", ":2:1: error: expected a JSON object"), (bad, ":2:1: error: 'source' of the event is empty"),
                       ('{"n":', ":3:1: error: expected a value, found the end")):
        done = append(program, f'{{"the one before": "{said}"}}\n{last}\n')
        assert done.returncode == 1 and said in done.stderr and "1 new" in done.stderr, done.stderr
    assert news(post(program, {"plain": 1}, "application/json", "?source=/me"))[1] == 1


def test_append_passes_over_bad_lines(start_telex):
    program = start_telex({})
    lines = [f'{{"n": {i}}}' for i in range(60000)]  # more than is read at once
    bad = {7: '{"b" 2}', 20000: "nothing", 59990: '{"specversion": "1.0", "id": "", "source": "/s", "type": "t"}',
           **{30000 + i: "[1" for i in range(20)}}
    for i, line in bad.items():
        lines[i] = line
    text = "\n".join(lines) + '\n\n{"end":'
    done = append(program, text)
    assert done.returncode == 1 and "-:8:" in done.stderr and "7 new, 0 known already" in done.stderr
    kept = program.folder / "rejects.jsonl"
    done = append(program, text, "--rejects", str(kept))
    assert done.returncode == 3 and f"{60000 - len(bad) - 7} new, 7 known already, {len(bad) + 1} bad" in done.stderr
    assert "skipped: -:8:6: expected ':'" in done.stderr and "skipped: -:20001:1: expected a JSON object" in done.stderr
    assert done.stderr.count("skipped: ") == 11 and f"skipped: {len(bad) + 1 - 10} more" in done.stderr
    assert kept.read_text().splitlines() == [bad[i] for i in sorted(bad)] + ['{"end":']
    assert len(rows(program)) == 60000 - len(bad)
    kept.write_text(kept.read_text().replace('{"b" 2}', '{"b": 2}'))
    done = append(program, kept.read_text(), "--skip-bad")
    assert done.returncode == 3 and f"1 new, 0 known already, {len(bad)} bad" in done.stderr
    done = append(program, '{"b": 2}\n', "--skip-bad")
    assert done.returncode == 0 and "0 new, 1 known already, 0 bad" in done.stderr
    assert append(program, "{}", "--skip-bad", "--id", "x").returncode == 2
    assert append(program, "{}", "--rejects", "/nowhere/at/all").returncode == 1


def test_check_says_what_goes_nowhere(tmp_path):
    path = tmp_path / "telex.yaml"
    stream = "events: { mine: { source: { type: embedded }, metadata: { cluster: c }, sink: { endpoint: 'http://127.0.0.1:9' } } }\n"
    for more, is_said in (("", True), (stream, False)):
        path.write_text("receive: { events: true }\n" + more)
        done = subprocess.run([BINARY, "check", "-c", path], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 and ("go nowhere" in done.stderr) == is_said


def test_append_before_it_ever_ran(tmp_path):
    (tmp_path / "telex.yaml").write_text("state: { path: data }\n")
    lines = "".join(f'{{"n": {i}}}\n' for i in range(5000))
    done = subprocess.run([BINARY, "events", "append"], text=True, input=lines, capture_output=True, timeout=60,
                          check=False, cwd=tmp_path)
    assert done.returncode == 0 and "5000 new, 0 known" in done.stderr
    with sqlite3.connect(tmp_path / "data" / "events.db") as db:
        assert db.execute("SELECT count(*) FROM events").fetchone() == (5000,)
