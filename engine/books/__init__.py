"""The two books on disk: the ledger of decisions and the store of facts."""
