"""Many runs in one command, and what they tell together."""
