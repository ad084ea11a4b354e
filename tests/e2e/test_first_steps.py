"""What somebody meets who tries streams for the first time: no config here, another token, events before the first run."""

import json
import subprocess

import net
from telex import BINARY, server_section
from test_streams import FAST, give, health, start_sink, stream, wait_done  # noqa: F401

NOWHERE = "http://127.0.0.1:9"


def telex(folder, *words, text=None):
    return subprocess.run([BINARY, *words], cwd=folder, input=text, capture_output=True, text=True, timeout=60, check=False)


def config(port, **stream):
    section = {"metadata": {"cluster": "c1"}, "sink": {"endpoint": NOWHERE}, "failureHandling": FAST, **stream}
    return {"server": server_section(port), "receive": {"events": True}, "events": {"mine": section}}


def write(folder, config):
    (folder / "telex.yaml").write_text(json.dumps(config))


def test_status_without_a_config(tmp_path):
    done = telex(tmp_path, "events", "status")
    assert done.returncode == 1 and "there is no telex.yaml in this folder" in done.stderr and "-c" in done.stderr, done
    write(tmp_path, config(net.free_port()))
    done = telex(tmp_path, "events", "status")
    assert done.returncode == 1 and "no stream ever ran" in done.stdout, done
    assert "stopped here" not in done.stdout


def test_another_admin_token(start_telex, tmp_path):
    program = start_telex({})
    for token, says in (("two", "does not take the admin token of this config"), (None, "wants the admin token")):
        write(tmp_path, {**config(program.port), "server": server_section(program.port, token)})
        done = telex(tmp_path, "events", "reset", "mine")
        assert done.returncode == 1 and says in done.stderr, done
        assert "two" not in done.stderr


def test_events_before_the_first_run(tmp_path):
    event = '{"a": 1}\n'
    warning = "stream 'mine' never ran"
    write(tmp_path, config(net.free_port()))
    done = telex(tmp_path, "events", "append", "--type", "t", "--source", "/s", text=event)
    assert done.returncode == 0 and warning in done.stderr and "1 new" in done.stderr, done
    write(tmp_path, config(net.free_port(), backfill={"enabled": True}))
    done = telex(tmp_path, "events", "append", "--type", "t", "--source", "/s", text=event)
    assert done.returncode == 0 and warning not in done.stderr, done


def test_no_warning_once_it_ran(start_telex):
    program = start_telex({key: value for key, value in config(0).items() if key != "server"})
    net.wait_until("the stream to run", lambda: program.get("/api/v1/streams").json()["data"]["streams"][0]["state"] == "running", 30)
    done = telex(program.folder, "events", "append", "--type", "t", "--source", "/s", text='{"a": 1}\n')
    assert done.returncode == 0 and "never ran" not in done.stderr, done
    assert program.sigterm() == 0
    done = telex(program.folder, "events", "append", "--type", "t", "--source", "/s", text='{"a": 2}\n')
    assert done.returncode == 0 and "never ran" not in done.stderr, done


def test_what_is_not_quite_a_health_event_is_told(start_sink, start_telex):
    sink = start_sink()
    program = start_telex(stream(sink))
    give(program, [health(1), health(2, node=5), {**health(3), "data": {"checkName": "c", "nodeName": "n", "isFatal": "maybe"}}])
    wait_done(program, 3)
    types = {event["id"]: event["type"] for event in sink.taken}
    assert types == {"1": "com.nvidia.nvsentinel.health.v1", "2": "raw", "3": "com.nvidia.nvsentinel.health.v1"}
    odd = program.metrics()["telex_stream_odd_events_total"]
    assert sum(odd.values()) == 2
    lines = [line for line in program.process.log_tail(200).splitlines() if "not quite one" in line]
    assert lines and any("isFatal is neither true nor false" in line or "nodeName is no text" in line for line in lines), lines
