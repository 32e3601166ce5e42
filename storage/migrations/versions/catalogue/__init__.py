"""What a recipient was refused for its quota."""
