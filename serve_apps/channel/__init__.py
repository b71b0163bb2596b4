"""The way from a gateway to the replicas of a slot: one socket each, many requests at once."""
