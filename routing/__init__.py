"""Who may ask what, where it goes and how it gets there."""
