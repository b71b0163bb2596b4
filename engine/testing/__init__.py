"""What stands in for the outside world where a workflow is tested."""
