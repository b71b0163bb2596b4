"""What the serving side shows to the outside: metrics, logs, traces for other systems."""
