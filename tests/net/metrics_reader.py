"""Reads metrics by the package `prometheus_client`, and compares their names with those of a manual.

metrics_reader.py URL MANUAL
"""
import re
import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

with urllib.request.urlopen(sys.argv[1], timeout=30) as answer:
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4"), answer.headers
    text = answer.read().decode()

names = set()
for family in text_string_to_metric_families(text):
    assert family.documentation and family.type in ("counter", "gauge"), family
    assert family.samples, family
    seen = set()
    for sample in family.samples:
        assert sample.value >= 0, sample
        key = tuple(sorted(sample.labels.items()))
        assert key not in seen, sample
        seen.add(key)
        names.add(sample.name)

with open(sys.argv[2], encoding="utf-8") as manual:
    section = manual.read().split("\n## Metrics\n")[1].split("\n## ")[0]
documented = set(re.findall(r"`(skynet_\w+)", section))
assert names == documented, names ^ documented
