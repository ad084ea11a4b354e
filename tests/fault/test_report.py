"""The page of results, from what cases leave."""

import json

import report


def test_page(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    plain = {"kills": 3, "kinds": {"write": 4, "sync": 5}}
    kill = {"telex, burst": {"acknowledged": 8, "delivered": 8, "lost": 0, "copies": 1},
            "vmagent, burst": {"acknowledged": 8, "delivered": 2, "lost": 6, "copies": 0}}
    for name, figures, violations in (("one", plain, ["lost: 7"]), ("two", {}, []), ("beside-vmagent", kill, [])):
        result = {"case": name, "seed": 1, "long": True, "seconds": 2.0, "violations": violations, "figures": figures}
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
    page = report.write().read_text()
    for wanted in ("| kills | 3 |", "| kinds | 4 | 5 |", "- lost: 7", "1 violations", "no violation",
                   "| Telex | burst | 8 | 8 | 100 % |", "| vmagent (Debian 12) | burst | 8 | 2 | 25 % |"):
        assert wanted in page, wanted
    report.clear()
    assert not list(tmp_path.glob("*.json"))
