"""The gateway over gRPC: the same calls as over HTTP, behind Serve's own ingress."""
