"""What a chaos run does to a deployment, each with the evidence that it was done."""
