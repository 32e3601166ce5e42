"""What witnesses outside have signed of the exchange log."""
