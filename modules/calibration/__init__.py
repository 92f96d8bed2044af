"""How sure a trained module may be: a temperature that is fitted on validation, and put into what is exported."""
