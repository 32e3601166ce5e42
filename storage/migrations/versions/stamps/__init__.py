"""Time stamps over checkpoints."""
