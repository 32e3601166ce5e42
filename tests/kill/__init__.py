"""Kill tests: a private world in which everything is killed, while clients write and a judge counts.

    python -m tests.kill --kills 100

What is claimed: a write that was acknowledged takes effect at the other system exactly once, whatever dies meanwhile.
"""
