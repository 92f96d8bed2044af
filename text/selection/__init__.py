"""Which documents of a corpus are kept: by a target, by diversity, at random, and none that a test set holds.

What is gathered of the documents adds up, whichever process read which of them; whether one is kept depends on its
text, on what was gathered of all, and on the seed.
"""
