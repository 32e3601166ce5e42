"""A signed partner exchange, in requests a second on one core: the gateway, a library stack and a floor side by side.

`make bench`, or `.venv/bin/python -m bench.partner_exchange --help`. What is measured and how: docs/performance.md.
"""
