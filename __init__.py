"""pretune: pretrain, then fine-tune, with Lightning modules and datamodules."""

if __name__ == "pretune":  # pytest imports it under another name
    from .moved import find_moved_modules

    find_moved_modules()
