"""What decides: proposes variants, opens windows, weighs evidence, promotes."""
