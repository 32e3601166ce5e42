"""What `gateway new-adapter` writes: every file of a new external system, unfinished, and red until it is finished."""
