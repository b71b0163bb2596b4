"""What serving costs and withstands, beside bare Serve and other gateways in the same run."""
