"""The two rule files. Both engines read the same bytes."""

RECORD = """\
      - record: bench:rec_{n:03d}:value
        expr: bench_rec_{n:03d}{{env="production"}}
"""

ALERT = """\
      - alert: BenchAlert{n:03d}
        expr: bench_alert_{n:03d}{{env="production"}} > 0
        for: 1s
        labels:
          severity: critical
        annotations:
          summary: "Saturation on {{{{ $labels.instance }}}}"
          description: "{{{{ $labels.job }}}} on {{{{ $labels.instance }}}} ({{{{ $labels.mode }}}}) is at {{{{ $value }}}}"
"""

TEMPLATES = {"record": RECORD, "alert": ALERT}


def write(path, kind, rules, interval_s):
    """One group, evaluated in order by both engines, so that passes have clear ends."""
    body = "".join(TEMPLATES[kind].format(n=n) for n in range(rules))
    path.write_text(f"groups:\n  - name: bench\n    interval: {interval_s}s\n    rules:\n{body}",
                    encoding="utf-8")
    return path
