"""The front door: names the unit, assigns its variant, records both, answers."""
