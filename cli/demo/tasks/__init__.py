"""Between a page's fields and a datamodule's rows, task by task; what computes is the module's own `predict_step`."""
