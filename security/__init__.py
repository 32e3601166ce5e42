"""What must hold before a message is believed: hardened XML, WS-Security, certificates, keys, payload encryption."""
