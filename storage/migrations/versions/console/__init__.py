"""Who may sign in at the console, and who is signed in."""
