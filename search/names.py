"""The names under which search finds the actors of a deployment."""

NAMESPACE = "trimtab"
CONTROL = "trimtab-control"
SELECTOR = "trimtab-selector"
