"""The rules of both engines: what one finds in rule files, over the series of inputs.py.

`for` is never a multiple of the interval: whether 10.0 s or 9.99 s have passed must not decide.
"""

HOSTS = ("a", "b", "c", "d", "e", "f")
WINDOW = "20s"

# Recorded series: the name behind "r:", and the expression.
RECORDS = [
    ("plain", "temperature"),
    ("renamed", "label_replace(temperature, 'node', 'n-$1', 'host', '(.+)')"),
    ("sum", "sum(temperature)"),
    ("avg_by", "avg by (site) (temperature)"),
    ("max_without", "max without (host) (temperature)"),
    ("min_by", "min by (site) (queue)"),
    ("count", "count by (site) (temperature > 50)"),
    ("stddev", "stddev(temperature)"),
    ("quantile", "quantile by (site) (0.75, temperature)"),
    ("topk", "topk(2, temperature)"),
    ("bottomk", "bottomk(1, queue)"),
    ("count_values", "count_values('depth', round(queue / 50))"),
    ("rate", f"rate(requests_total[{WINDOW}])"),
    ("increase", f"sum by (site) (increase(requests_total[{WINDOW}]))"),
    ("irate", f"irate(requests_total[{WINDOW}])"),
    ("resets", f"resets(requests_total[60s])"),
    ("errors", f"sum by (site) (rate(requests_total{{code='500'}}[{WINDOW}]))"
               f" / sum by (site) (rate(requests_total[{WINDOW}]))"),
    ("p90", f"histogram_quantile(0.9, sum by (le, site) (rate(latency_bucket[{WINDOW}])))"),
    ("p50", f"histogram_quantile(0.5, sum by (le) (rate(latency_bucket[{WINDOW}])))"),
    ("max_over", f"max_over_time(temperature[{WINDOW}])"),
    ("avg_over", f"avg_over_time(queue[{WINDOW}])"),
    ("stddev_over", f"stddev_over_time(temperature[{WINDOW}])"),
    ("quantile_over", f"quantile_over_time(0.3, temperature[{WINDOW}])"),
    ("count_over", f"count_over_time(fleeting[{WINDOW}])"),
    ("last_over", f"last_over_time(fleeting[{WINDOW}])"),
    ("changes", f"changes(up_now[{WINDOW}])"),
    ("delta", f"delta(temperature[{WINDOW}])"),
    ("deriv", f"deriv(temperature[{WINDOW}])"),
    ("predict", f"predict_linear(queue[{WINDOW}], 60)"),
    ("offset", "temperature offset 7s"),
    ("subquery", "max_over_time(rate(requests_total[10s])[20s:5s])"),
    ("above", "temperature > 60"),
    ("bool", "temperature > bool 60"),
    ("between", "temperature > 20 < 70"),
    ("and", "temperature and on (host) up_now == 1"),
    ("or", "(temperature > 75) or (temperature < 25)"),
    ("unless", "temperature unless on (host) (up_now == 0)"),
    ("group_left", "temperature * on (host) group_left (rack) place"),
    ("ignoring", "temperature - ignoring (level) alarm"),
    ("absent", "absent(fleeting{host='a'})"),
    ("absent_over", "absent_over_time(fleeting{host='b'}[5s])"),
    ("fleeting", "fleeting"),
    ("fleeting_sum", "sum by (site) (fleeting)"),
    ("time", "time() - timestamp(temperature)"),
    ("scalar", "scalar(sum(queue)) + time() % 60"),
    ("vector", "vector(42.5)"),
    ("clamp", "clamp(temperature, 30, 70)"),
    ("math", "ln(temperature) + sqrt(queue) - exp(temperature / 100) ^ 2"),
    ("rounding", "round(temperature, 0.5) + floor(queue) - ceil(queue)"),
    ("modulo", "queue % 7"),
    ("division", "queue / (queue - queue) > 0"),
    ("minutes", "minute() * 60 + temperature * 0"),
    ("sgn", "sgn(temperature - 50)"),
    ("regex", "sum by (host) ({__name__=~'temperature|queue', host=~'a|b|[cd]'})"),
    ("negative", "-temperature"),
    ("atan2", "temperature atan2 queue"),
    ("nothing", "no_such_series"),
    ("spans", "temperature{site!='north'}"),
]

# Alerts: name, expression, `for` in intervals, labels of the rule.
ALERTS = [
    ("Hot", "temperature > {high}", 0, {"severity": "page"}),
    ("Hotter", "temperature > {high}", 1.5, {"severity": "page", "value": "{{{{ $value | humanize }}}}"}),
    ("HotLong", "temperature > {low}", 3.5, {"severity": "warn"}),
    ("HotVeryLong", "temperature > {high}", 500.5, {}),
    ("Cold", "temperature < 30", 2.5, {"where": "{{{{ $labels.site }}}}/{{{{ $labels.host }}}}"}),
    ("Queue", "queue > {queue}", 1.5, {}),
    ("QueueBySite", "max by (site) (queue) > {queue}", 0, {"team": "{{{{ $labels.site | toUpper }}}}"}),
    ("Down", "up_now == 0", 0, {"severity": "page"}),
    ("DownFor", "up_now == 0", 1.5, {"severity": "page"}),
    ("Gone", "absent(fleeting{{host='c'}})", 0.5, {}),
    ("Fleeting", "fleeting > {low}", 1.5, {}),
    ("Errors", "sum by (site) (rate(requests_total{{code='500'}}[20s])) > {rate}", 1.5, {}),
    ("Level", "alarm > 0.5", 0, {"level": "from the rule"}),
    ("Always", "vector({high}) and on () (sum(up_now) < 6)", 1.5, {"severity": "none"}),
    ("Never", "temperature > 1000", 0, {}),
]
STEPS = [{"high": 70, "low": 45, "queue": 60, "rate": 0.5}, {"high": 80, "low": 55, "queue": 80, "rate": 1},
         {"high": 60, "low": 35, "queue": 40, "rate": 0.2}]


def seconds(intervals, interval):
    return f"{int(intervals * interval * 1000)}ms"


def record(name, expr, number):
    rule = {"record": f"r{number}:{name}", "expr": expr}
    if number % 2:
        rule["labels"] = {"kind": "recorded", "site": "of the rule"} if name == "plain" else {"kind": "recorded"}
    return rule


def alert(row, number, interval):
    name, expr, wait, labels = row
    step = STEPS[number % len(STEPS)]
    rule = {"alert": f"{name}{number}", "expr": expr.format(**step),
            "annotations": {"summary": "{{ $labels.host }} is at {{ $value }}"}}
    if wait:
        rule["for"] = seconds(wait, interval)
    if labels:
        rule["labels"] = {key: value.format() for key, value in labels.items()}
    return rule


def name_of(path, kind, number, interval, is_good):
    """A name that spreads the group to a good place within its interval (see engines.py)."""
    tries = (f"{kind}-{number}-{attempt}" for attempt in range(1000))
    return next(name for name in tries if is_good(path, name, interval))


def groups(path, intervals, copies, share, is_good):
    """`copies` groups of each kind, with every `share`th rule; `is_good(path, name, interval)` judges names."""
    made = []
    for number in range(copies):
        interval = intervals[number % len(intervals)]
        for kind, rules in (("records", [record(*row, number) for row in RECORDS]),
                            ("alerts", [alert(row, number, interval) for row in ALERTS])):
            made.append({"name": name_of(path, kind, number, interval, is_good), "interval": f"{interval}s",
                         "rules": rules[number % share::share]})
    return made
