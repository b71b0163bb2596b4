"""What is told about models, and what they are asked for, over HTTP."""
