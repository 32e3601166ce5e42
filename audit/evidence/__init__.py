"""Evidence of one exchange: the bytes, what the log says of them, and what proves it, in one signed container."""

from audit.evidence.collected import Collected, Proven, collect
from audit.evidence.container import MEDIA_TYPE, packed, write

__all__ = ["MEDIA_TYPE", "Collected", "Proven", "collect", "packed", "write"]
