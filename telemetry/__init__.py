"""What operators see of the gateway's inner life: lines of diagnostics, and traces of exchanges.

Both may be lost, and neither holds personal data; what must not be lost is in the exchange log.
"""

from telemetry.diagnostics import about, exchange_lines, start_diagnostics
from telemetry.traces import Tracing, span, traced

__all__ = ["Tracing", "about", "exchange_lines", "span", "start_diagnostics", "traced"]
