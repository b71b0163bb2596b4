"""What may be seen of a request, and by whom."""
