"""Kills, starves and misleads a deployment under load, and holds it to its promises."""
