"""What a database that was loaded from a backup says of itself."""
