"""What keeps one client, one variant or one rush from taking the gateway down."""
