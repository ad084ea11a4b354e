"""Parts of the rule benchmark; bench/rules.py puts them together, docs/bench.md explains them."""
