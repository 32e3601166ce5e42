"""One folder per branch of migrations."""
