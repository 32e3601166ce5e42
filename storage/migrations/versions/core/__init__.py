"""The exchange log, the payload archive, the sequencer's queue and the leases."""
