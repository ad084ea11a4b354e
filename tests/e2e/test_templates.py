"""Template files: shared by all rules, read again by a reload, and never the end of an alert."""

import net
from telex import alerting, group

UP = [({"__name__": "cpu", "instance": "web-1:9100"}, 85.4)]


def write(program, text):
    (program.folder / "templates").mkdir(exist_ok=True)
    (program.folder / "templates" / "shared.tpl").write_text(text)


def test_shared_definitions_and_reload(scene):
    program = scene.play(alerting("Early", "early"))
    write(program, '{{ define "host" }}<{{ . | stripPort }}>{{ end }}')
    program.write_config({**scene.config(), "rule_templates": ["templates/*.tpl"]})
    rule = alerting("Shared", "cpu", annotations={
        "summary": '{{ template "host" $labels.instance }} since {{ $activeAt.Year | printf "%d" | len }}'})
    program.write_rules({"scene.yaml": [group("scene", [rule])]})
    assert program.reload().status == 200
    scene.vectors["cpu"] = UP
    edge, = scene.wait_states("firing", rule="Shared")
    assert edge["annotations"]["summary"] == "<web-1> since 4"
    write(program, '{{ define "host" }}[{{ . | stripPort }}]{{ end }}')
    assert program.reload().status == 200
    scene.vectors["cpu"] = []
    _, edge = scene.wait_states("firing", "resolved", rule="Shared")
    assert edge["annotations"]["summary"] == "[web-1] since 4"


def test_a_broken_file_is_refused_with_its_place(scene):
    program = scene.play(alerting("Early", "early"))
    write(program, '{{ define "a" }}\n{{ template "absent" }}{{ end }}')
    program.write_config({**scene.config(), "rule_templates": ["templates/*.tpl"]})
    answer = program.reload()
    assert answer.status == 400
    assert "shared.tpl:2:4" in answer.json()["error"] and '"absent"' in answer.json()["error"], answer.json()


def test_a_failing_text_costs_no_alert(scene):
    """It fires with the error as its text, is counted, and the log says which annotation it was."""
    program = scene.play(alerting("Broken", "cpu", annotations={
        "summary": "{{ query \"absent\" | first | value }}", "other": "{{ $labels.instance }}"}))
    scene.vectors["cpu"] = UP
    edge, = scene.wait_states("firing", rule="Broken")
    assert edge["annotations"]["summary"].startswith("<error expanding template: ")
    assert edge["annotations"]["other"] == "web-1:9100"
    assert program.metrics()["telex_template_errors_total"][()] >= 1
    net.wait_until("a line in the log", lambda: "annotation=summary" in program.process.log())


def test_the_alert_id_finds_the_alert(scene):
    """Links that were made for vmalert lead somewhere."""
    link = "/vmalert/api/v1/alert?group_id={{ $groupID }}&alert_id={{ $alertID }}"
    program = scene.play(alerting("Plain", "plain", annotations={"link": link}))
    scene.vectors["plain"] = [({"instance": "a"}, 1.0)]
    edge, = scene.wait_states("firing")
    found = program.get(edge["annotations"]["link"])
    assert found.status == 200, found
    assert found.json()["labels"]["instance"] == "a" or found.json()["data"]["labels"]["instance"] == "a"
