"""A run made ready to be handed on: the card of its export, and the way to the Hugging Face Hub."""
