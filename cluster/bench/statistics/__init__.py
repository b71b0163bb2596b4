"""The method's promises, measured: false alarms among equals and speed beside them."""
