"""The command line: what it prints, where, and how it ends."""

import filecmp
import os
import pathlib
import re
import subprocess

import pytest

import net
import telex

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = """groups:
- name: g
  rules:
  - alert: A
    expr: up == 0
"""


def run(*arguments, folder, **environment):
    return subprocess.run([telex.BINARY, *map(str, arguments)], cwd=folder, env={"PATH": "/usr/bin:/bin", **environment},
                          capture_output=True, text=True, timeout=30)


def write(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)


def test_usage(tmp_path):
    for arguments in ((), ("--help",), ("help",)):
        done = run(*arguments, folder=tmp_path)
        said = done.stdout + done.stderr
        assert done.returncode == (2 if not arguments else 0)
        for command in ("run", "check", "exporters", "version"):
            assert f"  {command} " in said
        assert "docs" not in said.split()
    done = run("chekc", folder=tmp_path)
    assert done.returncode == 2 and "chekc" in done.stderr and done.stdout == ""


def test_each_command_is_listed_once(tmp_path):
    done = run("help", folder=tmp_path)
    names = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]
    assert "events" in names and len(names) == len(set(names)), names


@pytest.mark.parametrize("command", ["run", "check", "exporters", "help", "version", "docs"])
def test_each_command_explains_itself(tmp_path, command):
    done = run(command, "--help", folder=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith(f"usage: telex {command}") and done.stderr == ""
    wrong = run(command, "--nonsense", folder=tmp_path)
    assert wrong.returncode == 2 and "--nonsense" in wrong.stderr and wrong.stdout == ""


def test_an_option_needs_its_value(tmp_path):
    done = run("check", "-c", folder=tmp_path)
    assert done.returncode == 2 and "-c" in done.stderr


def test_version(tmp_path):
    for word in ("version", "--version"):
        done = run(word, folder=tmp_path)
        assert done.returncode == 0 and done.stdout.startswith("telex ") and done.stdout.count("\n") == 1


def test_check_rule_files_alone(tmp_path):
    write(tmp_path, rules=RULES, telex="nonsense: 1\n")
    done = run("check", "rules.yaml", folder=tmp_path)
    assert done.returncode == 0 and "1 group, 1 rule" in done.stdout and done.stderr == ""


def test_check_shows_the_place(tmp_path):
    write(tmp_path, rules=RULES.replace("up == 0", "sum(up"))
    done = run("check", "rules.yaml", folder=tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("rules.yaml:5:17: error: ")
    assert lines[1].strip() == "expr: sum(up" and lines[2].index("^") == lines[1].index("(up") + 3
    assert lines[-1] == "1 error, 0 warnings"


def test_check_config_from_elsewhere(tmp_path):
    """Names in a config are relative to its folder; names in problems to where the user is."""
    conf = tmp_path / "conf"
    conf.mkdir()
    write(conf, telex="datasource: { url: http://127.0.0.1:9 }\nrules: [ rules.yaml ]\nlog: { level: loud }\n", rules=RULES)
    done = run("check", "-c", "conf/telex.yaml", folder=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("conf/telex.yaml:3:15: error: "), done.stderr
    write(conf, telex="datasource: { url: http://127.0.0.1:9 }\nrules: [ rules.yaml ]\n", rules=RULES.replace("up ==", "up( =="))
    done = run("check", "-c", "conf/telex.yaml", folder=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("conf/rules.yaml:5:"), done.stderr
    write(conf, rules=RULES)
    for where, path in ((tmp_path, "conf/telex.yaml"), (conf, "telex.yaml"), (tmp_path, conf / "telex.yaml")):
        done = run("check", "-c", path, folder=where)
        assert done.returncode == 0 and "1 group, 1 rule" in done.stdout, done.stderr
    assert run("check", folder=conf).returncode == 0, "telex.yaml where we are is the default"
    done = run("check", "-c", "conf/telex.yaml", "other.yaml", folder=tmp_path)
    assert done.returncode == 1 and "other.yaml" in done.stderr, "rule files are relative to where we are"


def test_check_without_anything(tmp_path):
    done = run("check", folder=tmp_path)
    assert done.returncode == 0 and "0 rules" in done.stdout
    done = run("check", "-c", "missing.yaml", folder=tmp_path)
    assert done.returncode == 1 and "missing.yaml" in done.stderr


def test_environment_overrides(tmp_path):
    write(tmp_path, telex="rules: [ rules.yaml ]\n", rules=RULES)
    done = run("check", folder=tmp_path)
    assert done.returncode == 1 and "datasource" in done.stderr
    assert run("check", folder=tmp_path, TELEX_DATASOURCE_URL="http://127.0.0.1:9").returncode == 0
    done = run("check", folder=tmp_path, TELEX_DATASOURCE_URL="http://127.0.0.1:9", TELEX_LOG_LEVEL="loud")
    assert done.returncode == 1 and "TELEX_LOG_LEVEL" in done.stderr


def kinds(tmp_path):
    return [line.split()[0] for line in run("exporters", folder=tmp_path).stdout.splitlines()]


def test_exporters_and_their_examples(tmp_path):
    assert {"alertmanager", "file", "influxdb", "remote_write", "webhook"} <= set(kinds(tmp_path))
    for kind in kinds(tmp_path):
        done = run("exporters", kind, folder=tmp_path)
        assert done.returncode == 0 and "type" in done.stdout
        write(tmp_path, telex=done.stdout.split("Example:\n\n")[1])
        checked = run("check", folder=tmp_path)
        assert checked.returncode == 0 and "1 exporter" in checked.stdout, checked.stderr
    done = run("exporters", "webhok", folder=tmp_path)
    assert done.returncode == 2 and "webhook" in done.stderr


def test_every_exporter_has_a_page(tmp_path):
    pages = ROOT / "docs" / "exporters"
    shared = (pages / "combinators.md").read_text()
    index = (pages / "README.md").read_text()
    for kind in kinds(tmp_path):
        page = pages / f"{kind}.md"
        assert page.exists() or f"`{kind}`" in shared, f"no page for {kind}"
        assert not page.exists() or f"({kind}.md)" in index or kind == "pushgateway", f"{kind} is not listed"
        told = run("exporters", kind, folder=tmp_path).stdout
        row = [line.split("|")[2] for line in index.splitlines() if line.startswith("| ") and f"`{kind}`" in line]
        for record in ("samples", "alerts", "events", "profiles", "spans") if row else ():
            takes = [line for line in told.splitlines() if line.startswith("Takes ")][0]
            assert (record in row[0]) == (record in takes), f"{kind}: {row[0]} is said to be taken, {takes}"


def test_reference_pages_are_those_of_the_program(tmp_path):
    """`make docs` was run after the tables changed."""
    assert run("docs", tmp_path, folder=tmp_path).returncode == 0
    for page in ("config.md", "cli.md", "api.md", "events-metrics.md"):
        assert filecmp.cmp(tmp_path / page, ROOT / "docs" / page, shallow=False), f"docs/{page} is old: run `make docs`"


def shown_page(path):
    """A manual page as people see it; no program that shows it may complain."""
    done = subprocess.run(["man", "--warnings", "-l", path], check=True, capture_output=True, text=True,
                          env={**os.environ, "MANWIDTH": "400", "LC_ALL": "C.UTF-8"})
    checked = subprocess.run(["groff", "-man", "-ww", "-z", "-K", "utf8", "-T", "utf8", path], check=True,
                             capture_output=True, text=True)
    assert not done.stderr and not checked.stderr, done.stderr + checked.stderr
    return " ".join(done.stdout.replace("\u2010", "-").split())


def test_manual_pages_have_all_that_the_reference_pages_have(tmp_path):
    assert run("docs", "--man", tmp_path, folder=tmp_path).returncode == 0
    program, config = shown_page(tmp_path / "telex.1"), shown_page(tmp_path / "telex.yaml.5")
    for title in ("SYNOPSIS", "COMMANDS", "ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES", "SEE ALSO"):
        assert title in program
    reference = (ROOT / "docs" / "cli.md").read_text()
    for command in re.findall(r"^## `(.*)`$", reference, re.M):
        assert " ".join(command.split()) in program, command
    for flag in re.findall(r"^- .*`(--[a-z-]+)", reference, re.M):
        assert flag in program, flag
    for option in re.findall(r"^\| `([a-z0-9_.]+)` \|", (ROOT / "docs" / "config.md").read_text(), re.M):
        assert f" {option} " in config, option
    assert "`" not in program + config and "](" not in program + config


def test_run_says_what_is_wrong(tmp_path):
    write(tmp_path, telex="sever: { listen: ':1' }\n")
    done = run("run", folder=tmp_path)
    assert done.returncode == 1 and "telex.yaml:1:1: error: " in done.stderr and "server" in done.stderr
    assert run("run", "extra", folder=tmp_path).returncode == 2


def test_a_folder_that_cannot_be_written_is_told_by_check(tmp_path):
    """What run would not start with."""
    (tmp_path / "in-the-way").write_text("")
    for kind, option in (("file", "output_directory: in-the-way/sub"), ("file", "output_directory: in-the-way"),
                         ("sqlite", "path: in-the-way/rows.db")):
        write(tmp_path, telex=f"exporters:\n  out: {{ type: {kind}, {option} }}\n")
        done = run("check", folder=tmp_path)
        assert done.returncode == 1, (kind, option)
        assert "telex.yaml:2:3: error: exporter 'out': its folder cannot be made or written: '" in done.stderr
    write(tmp_path, telex="exporters:\n  out: { type: file, output_directory: made/when/needed }\n")
    assert run("check", folder=tmp_path).returncode == 0 and not (tmp_path / "made").exists()


def test_a_database_gathers_what_is_said_and_else_what_the_seed_says(tmp_path):
    """batch_size and batch_timeout are the buffer's by other names: neither outranks the other in silence."""
    rows = {"seed": ("", "1000 records or 1m"), "below": ("buffer: { buffer_size: 77, flush_interval: 5s }", "77 records or 5s"),
            "own": ("batch_size: 88, batch_timeout_seconds: 9", "88 records or 9s"),
            "both": ("batch_size: 88, buffer: { buffer_size: 77 }", "88 records or 1m"),
            "shared": ("flush_interval_seconds: 7", "1000 records or 7s")}
    for more, said in rows.values():
        write(tmp_path, telex=f"exporters:\n  rows: {{ type: sqlite, path: rows.db, {more} }}\n")
        done = run("check", "--tree", folder=tmp_path)
        assert done.returncode == 0 and f"gathers {said}" in done.stdout, (more, done.stdout, done.stderr)


def test_flush_interval_is_taken_where_the_seed_has_it(tmp_path):
    """ExporterConfig has it beside batch_size."""
    write(tmp_path, telex="exporters:\n  a: { type: http, url: 'http://127.0.0.1:1', flush_interval_seconds: 30, batch_size: 100 }\n"
                          "  b: { type: http, url: 'http://127.0.0.1:1', buffer: { flush_interval: 7s } }\n")
    done = run("check", "--tree", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "gathers 10000 records or 30s" in done.stdout and "gathers 10000 records or 7s" in done.stdout


def test_an_address_in_use_is_told_before_any_state_is_touched(tmp_path):
    import socket
    with socket.socket() as taken:
        taken.bind((net.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        write(tmp_path, telex=f"server: {{ listen: '{net.HOST}:{port}' }}\n")
        done = run("run", folder=tmp_path)
    assert done.returncode == 1 and str(port) in done.stderr and "ddress already in use" in done.stderr, done.stderr
    assert not (tmp_path / "data").exists()


def test_runs_without_a_config(tmp_path, start_telex):
    program = start_telex({})
    page = program.get("/")
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
    assert "script" not in page.text and "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert program.rules() == [] and program.alerts() == []
    assert program.get("/api/v1/status/exporters").json()["data"] == {"exporters": []}
    assert program.get("/api/v1/rules?type=both").status == 400
    assert program.sigterm() == 0
    assert (program.folder / "data").stat().st_mode & 0o777 == 0o700


def test_the_list_of_commands_stands_in_columns(tmp_path):
    lines = [line for line in run("help", folder=tmp_path).stdout.splitlines() if line.startswith("  ")]
    starts = {len(line) - len(line[2:].split(" ", 1)[1].lstrip()) for line in lines}
    assert len(starts) == 1 and any("prometheus-rules" in line for line in lines), lines


def test_health_says_whether_the_program_is_ready(tmp_path, start_telex):
    program = start_telex({})
    for options, said in (((), "ready\n"), (("--live",), "healthy\n"), (("--url", program.url), "ready\n")):
        done = run("health", "-c", program.config_path, *options, folder=tmp_path)
        assert (done.returncode, done.stdout) == (0, said), done.stderr
    done = run("health", "-c", program.config_path, "--url", program.url + "/nowhere", folder=tmp_path)
    assert done.returncode == 1 and "answered 404" in done.stderr
    program.stop()
    done = run("health", "-c", program.config_path, folder=tmp_path)
    assert done.returncode == 1 and done.stdout == "" and "connect" in done.stderr


@pytest.mark.parametrize("topic", ["events", "queue", "vmalert", "prometheus-rules", "config"])
def test_help_is_no_markdown(tmp_path, topic):
    text = run("help", topic, folder=tmp_path).stdout
    assert "](" not in text and ".md" in text
