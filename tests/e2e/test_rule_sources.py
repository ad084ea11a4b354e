"""Rules from elsewhere: a web server, a store that speaks S3, standard input, a folder."""

import subprocess
import time

import pytest
import yaml

import net
import telex
from process import Process
from rule_stores import S3, RuleServer
from telex import alerting, group


def text_of(*names):
    return yaml.safe_dump({"groups": [group("g", [alerting(name, "up") for name in names])]})


def names_of(program):
    return sorted(rule["name"] for each in program.rules() for rule in each["rules"])


@pytest.fixture
def started():
    running = []

    def start(fake):
        running.append(fake.start())
        return fake

    yield start
    for fake in running:
        fake.down()


def config_of(prom, hook, **sections):
    return {"datasource": {"url": prom.url}, "exporters": {"hook": telex.webhook_exporter(hook.url)}, **sections}


def test_a_web_server_with_versions_and_a_password(started, fake_prom, webhook, start_telex):
    server = started(RuleServer(user="rules:pass"))
    server.files["/all.yaml"] = text_of("One")
    program = start_telex(config_of(
        fake_prom, webhook, rules=[server.url + "/all.yaml"],
        rule_servers=[{"url": server.url, "username": "rules", "password": "pass", "refresh_interval": "300ms"}]))
    assert names_of(program) == ["One"]
    net.wait_until("a version that is known", lambda: 304 in server.answered)
    assert server.answered.count(200) == 1
    server.files["/all.yaml"] = text_of("One", "Two")
    net.wait_until("the other rules to be loaded by themselves", lambda: names_of(program) == ["One", "Two"])

    server.files["/all.yaml"] = "groups: nonsense"
    net.wait_until("the broken rules to be refused",
                   lambda: program.metrics().get("telex_config_last_reload_successful") == 0
                   or "expected a list of groups" in program.process.log())
    assert names_of(program) == ["One", "Two"]
    server.files["/all.yaml"] = text_of("Two")
    net.wait_until("the mended rules", lambda: names_of(program) == ["Two"])


def test_a_reload_refused_for_another_reason_is_tried_again(started, fake_prom, webhook, start_telex):
    server = started(RuleServer())
    server.files["/all.yaml"] = text_of("One")
    config = config_of(fake_prom, webhook, rules=[server.url + "/all.yaml"],
                       rule_servers=[{"url": server.url, "refresh_interval": "200ms"}])
    program = start_telex(config)
    program.write_config({**config, "nonsense": 1})
    server.files["/all.yaml"] = text_of("Two")
    net.wait_until("the reload to be refused", lambda: "reload refused" in program.process.log())
    assert names_of(program) == ["One"]
    program.write_config(config)
    net.wait_until("the other rules", lambda: names_of(program) == ["Two"])


def test_a_restart_while_the_server_is_down_has_the_rules(started, fake_prom, webhook, start_telex):
    server = started(RuleServer())
    server.files["/all.yaml"] = text_of("Kept")
    program = start_telex(config_of(fake_prom, webhook, rules=[server.url + "/all.yaml"]))
    assert names_of(program) == ["Kept"]
    server.down()
    assert program.sigterm() == 0
    program.start()
    program.wait_ready()
    assert names_of(program) == ["Kept"]
    assert "cannot be fetched, so its rules of" in program.process.log()
    assert program.reload().status == 200
    assert names_of(program) == ["Kept"]


def test_places_that_hang_hold_up_a_reload_together(started, fake_prom, webhook, start_telex):
    """Six of them, three seconds each where they are waited for."""
    server = started(RuleServer())
    places = [f"/{i}.yaml" for i in range(6)]
    server.files = {path: text_of(f"R{path[1]}") for path in places}
    program = start_telex(config_of(fake_prom, webhook, rules=[server.url + path for path in places],
                                    rule_servers=[{"url": server.url, "timeout": "3s", "refresh_interval": "1h"}]))
    server.goes_on.clear()
    began = time.monotonic()
    program.sighup()
    net.wait_until("the reload", lambda: "msg=reloaded" in program.process.log(), 30)
    took = time.monotonic() - began
    server.goes_on.set()
    assert program.process.log().count("cannot be fetched, so its rules of") >= 3     # what repeats is not all logged
    assert 6 <= took < 15, took
    assert names_of(program) == [f"R{i}" for i in range(6)]


def test_without_kept_rules_a_server_that_is_down_is_an_error(tmp_path, fake_prom):
    dead = net.free_port()
    config = tmp_path / "telex.yaml"
    config.write_text(yaml.safe_dump({"datasource": {"url": fake_prom.url}, "state": {"path": str(tmp_path / "data")},
                                      "rules": [f"http://127.0.0.1:{dead}/r.yaml"]}))
    done = subprocess.run([telex.BINARY, "check", "-c", str(config)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "fetching rules: " in done.stderr + done.stdout, done
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("token", [None, "temporary+token=="])
def test_a_store_that_speaks_s3(started, fake_prom, webhook, start_telex, token):
    store = started(S3(token=token))
    store.objects = {"a b/one & two.yaml": text_of("One"), "a b/three.yaml": text_of("Three"), "a b/": "",
                     "a b/deep/four.yaml": text_of("Four"), "a b/notes.txt": "no rules", "other/five.yaml": "no"}
    keys = {"endpoint": store.url, "region": store.region, "access_key_id": store.key,
            "secret_access_key": store.secret, "refresh_interval": "300ms"}
    if token:
        keys["session_token"] = token
    program = start_telex(config_of(fake_prom, webhook, rules=["s3://rules/a b/*.yaml"],
                                    rule_servers=[{"url": "s3://rules", **keys}]))
    assert names_of(program) == ["One", "Three"]
    assert store.lists > 1, "pages"
    net.wait_until("versions that are known", lambda: store.statuses.count(304) >= 2)
    store.objects["a b/six.yaml"] = text_of("Six")
    net.wait_until("the new object", lambda: names_of(program) == ["One", "Six", "Three"])
    assert {each["file"] for each in program.rules()} == {
        "s3://rules/a b/one & two.yaml", "s3://rules/a b/three.yaml", "s3://rules/a b/six.yaml"}


def test_wrong_keys_of_s3_are_said(started, tmp_path):
    store = started(S3())
    store.objects = {"r.yaml": text_of("One")}
    config = tmp_path / "telex.yaml"
    config.write_text(yaml.safe_dump({"rules": ["s3://rules/r.yaml"], "datasource": {"url": "http://127.0.0.1:1"},
                                      "rule_servers": [{"url": "s3://rules", "endpoint": store.url}]}))

    def check(**environment):
        return subprocess.run([telex.BINARY, "check", "-c", str(config)], capture_output=True, text=True, timeout=60,
                              env={"PATH": "/usr/bin:/bin", **environment})
    done = check()
    assert done.returncode == 1 and "AccessDenied: Access Denied" in done.stderr + done.stdout, done
    done = check(AWS_ACCESS_KEY_ID=store.key, AWS_SECRET_ACCESS_KEY="wrong", AWS_REGION=store.region)
    assert done.returncode == 1 and "SignatureDoesNotMatch" in done.stderr + done.stdout, done
    done = check(AWS_ACCESS_KEY_ID=store.key, AWS_SECRET_ACCESS_KEY=store.secret, AWS_REGION=store.region)
    assert done.returncode == 0, done


def test_standard_input_stays_over_reloads(fake_prom, webhook, start_telex, tmp_path):
    rules = tmp_path / "rules.txt"
    rules.write_text(text_of("Piped"))
    program = start_telex(config_of(fake_prom, webhook), wait=False)
    program.sigkill()
    program.process.wait(10)
    program.write_config(config_of(fake_prom, webhook, rules=["-", str(program.folder / "rules" / "*.yaml")]))
    program.process = Process("telex", ["/bin/sh", "-c", f"exec {telex.BINARY} run -c {program.config_path} < {rules}"],
                              program.folder).start()
    program.wait_ready()
    assert names_of(program) == ["Piped"]
    program.write_rules({"more.yaml": [group("more", [alerting("More", "up")])]})
    assert program.reload().status == 200
    assert names_of(program) == ["More", "Piped"]


def test_check_reads_standard_input_and_urls(started):
    done = subprocess.run([telex.BINARY, "check", "-"], input="groups: 3\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "stdin:1:9" in done.stderr + done.stdout, done
    server = started(RuleServer())
    server.files["/r.yaml"] = text_of("One")
    done = subprocess.run([telex.BINARY, "check", server.url + "/r.yaml"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done


def test_a_folder(fake_prom, webhook, start_telex, tmp_path):
    folder = tmp_path / "folder"
    (folder / "deeper").mkdir(parents=True)
    for name in ("b.yml", "a.yaml", "c.rules", ".hidden.yaml", "notes.txt", "deeper/d.yaml"):
        (folder / name).write_text(text_of(name[0].upper()))
    program = start_telex(config_of(fake_prom, webhook, rules=[str(folder)]))
    assert names_of(program) == ["A", "B", "C"]
