"""The State Address Register at national size: loading an edition, and reading what it holds.

`load` takes an open-data edition; `resolve`, `children`, `history` and `search` read the edition in use.
"""
