"""What users reach: the gateway, the slots and the actor that keeps them as the ledger says."""
