"""The verbs that are not the Trainer's."""
