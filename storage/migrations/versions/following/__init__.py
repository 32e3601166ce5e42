"""How far the following of external systems has come."""
