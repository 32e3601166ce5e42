"""The questions of auditors and persons."""
