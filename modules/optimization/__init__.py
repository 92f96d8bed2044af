"""How a module learns: optimizers, schedules, the gradient of a window."""
