"""What `python main.py VERB` adds to the library."""
