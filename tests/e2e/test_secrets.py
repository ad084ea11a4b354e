"""Nothing that is said of a config gives a secret of it away: check, the log of a start that fails, the answer and the
log of a reload that fails, and the answer of a PATCH."""

import subprocess

import pytest

import telex
from telex import file_exporter

SECRET = "Zq7Wk"

CONFIGS = {
    "flow": "exporters: {dd: {type: datadog, api_key: SECRET, sit: eu}}",
    "flow, comma": "exporters: {dd: {type: datadog, api_key: SECRET,SECRET, sit: eu}}",
    "flow of lines": "exporters: {\n  dd: {type: datadog,\n    api_key: SECRET, sit: eu}}",
    "quoted": "exporters: {dd: {type: datadog, api_key: 'SECRET, SECRET', sit: eu}}",
    "json": '{"exporters":{"dd":{"type":"datadog","api_key":"SECRET","sit":"eu"}}}',
    "behind the error": "exporters: {dd: {type: datadog, sit: eu, api_key: SECRET}}",
    "no colon": "exporters: {dd: {type: datadog, api_key SECRET}}",
    "no blank": "exporters: {dd: {type: datadog, api_key:SECRET}}",
    "alias": "exporters: {dd: {type: datadog, api_key: *SECRET}}",
    "tag": "exporters: {dd: {type: datadog, api_key: !SECRET x}}",
    "quote inside": "exporters: {dd: {type: datadog, api_key: 'SECRET'SECRET}}",
    "open quote": "exporters: {dd: {type: datadog, name: \"x, api_key: \"SECRET\"}}",
    "colon": "exporters:\n  dd:\n    type: datadog\n    api_key: SECRET: SECRET",
    "block": "exporters:\n  dd:\n    type: datadog\n    api_key: |\n      SECRET\n     SECRET",
    "a list": "exporters: {dd: {type: datadog, api_key: [SECRET, SECRET]}}",
    "a mapping": "exporters: {dd: {type: datadog, api_key: {x: SECRET}}}",
    "a template": "exporters: {dd: {type: datadog, api_key: {{ SECRET }} }}",
    "headers": "exporters: {h: {type: http, url: 'http://127.0.0.1:1', headers: {X-Api-Key: SECRET}, x: 1}}",
    "auth": "exporters: {h: {type: http, url: 'http://127.0.0.1:1', auth: {type: bearer, token: SECRET, x: 1}}}",
    "url": "exporters: {h: {type: http, url: 'http://u:SECRET@127.0.0.1:1', x: 1}}",
    "url itself": "exporters: {h: {type: http, url: 'http://u:SECRET@127.0.0.1:1'}}",
    "postgresql": "exporters: {p: {type: postgresql, connection_string: 'postgresql://u:SECRET@h/d', x: 1}}",
    "postgresql itself": "exporters: {p: {type: postgresql, connection_string: 'SECRET'}}",
    "client secret": "exporters: {c: {type: cloudevents, source: s, url: 'http://127.0.0.1:1', oauth2: {client_secret: SECRET, x: 1}}}",
    "kafka": "exporters: {k: {type: kafka, brokers: ['a:1'], topic: t, sasl_password: SECRET, x: 1}}",
    "server": "server: {admin_token: SECRET, listn: 1}",
    "datasource": "datasource: {url: 'http://127.0.0.1:1', basic_auth: {username: u, password: SECRET}, x: 1}",
}


def text_of(name):
    return CONFIGS[name].replace("SECRET", SECRET) + "\n"


def assert_secret(text):
    assert SECRET[:3] not in text and SECRET[-3:] not in text, text


@pytest.mark.parametrize("name", CONFIGS)
def test_check_and_start(tmp_path, name):
    path = tmp_path / "telex.yaml"
    path.write_text(text_of(name))
    for command in (["check", path], ["check", "-c", path], ["run", "-c", path], ["check", "--tree", "-c", path]):
        done = subprocess.run([telex.BINARY, *command], capture_output=True, text=True, timeout=30)
        assert done.returncode != 0 and "error" in done.stderr, done
        assert_secret(done.stdout + done.stderr)


def test_a_shown_line_keeps_its_place(tmp_path):
    path = tmp_path / "telex.yaml"
    path.write_text(text_of("flow"))
    said = subprocess.run([telex.BINARY, "check", "-c", path], capture_output=True, text=True, timeout=30).stderr
    lines = said.splitlines()
    shown = next(i for i, line in enumerate(lines) if "datadog" in line and "api_key" in line)
    assert "api_key: *****, sit: **" in lines[shown]  # what an unknown key has may be a secret, too
    assert lines[shown + 1].index("^") == lines[shown].index("sit")


def test_reload(tmp_path, start_telex):
    program = start_telex({"exporters": {"f": file_exporter(tmp_path / "out")}, "routes": [{"to": ["f"]}]})
    good = program.config_path.read_text()
    for name in CONFIGS:
        if name in ("server", "datasource"):
            continue
        text = good[:good.index("exporters:")] + text_of(name)
        program.config_path.write_text(text if name != "json" else text_of(name))
        answer = program.reload()
        assert answer.status == 400, (name, answer)
        assert_secret(answer.body.decode())
    program.config_path.write_text(good)
    assert program.reload().status == 200
    assert_secret(program.process.log())


def test_a_variable(tmp_path):
    path = tmp_path / "telex.yaml"
    path.write_text("exporters: {dd: {type: datadog, site: eu}}\n")
    done = subprocess.run([telex.BINARY, "check", "-c", path], capture_output=True, text=True, timeout=30,
                          env={"PROFILING_DATADOG_API_KEY": SECRET, "TELEX_EXPORTER_DD_API_KEY": SECRET,
                               "TELEX_EXPORTER_DD_TIMEOUT": "never"})
    assert done.returncode != 0
    assert_secret(done.stdout + done.stderr)
