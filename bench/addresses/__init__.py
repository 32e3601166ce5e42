"""The address register at national size: an edition made up from real rows, loaded and searched."""
