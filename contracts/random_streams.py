"""The numbers that keep random draws of one seed apart, each named once: two draws of one number are the same draw.

What was drawn under a number must be drawn again where a run goes on: none of them changes, and a new one is new in its
group.
"""

# ------------------------------------------------------------------ of hashes of tokens (`modules.corruption.hashing`)

MASKED_PLACE = 1
MASKED_HOW = 2
RANDOM_TOKEN = 3
MASKED_SPAN_LENGTH = 4
MASKED_SPAN_SLOT = 5
MASKED_COUNT = 6
SEGMENT_SWAP = 7
GENERATED_TOKEN = 8
NOISE_SPAN = 11
KEPT_SPAN = 12
INFILLED_LENGTH = 13
INFILLED_PLACE = 14

# ------------------------------------------------------------------ of numpy's generators: (seed, number, ...)

HELD_OUT_ROWS = 1
FEW_LABELS = 2
SEGMENT_LENGTHS = 3
OTHER_SEGMENT = 4

# ------------------------------------------------------------------ of an epoch: (seed, epoch, number, ...)

BATCH_ORDER = 1
LATER_GROUPS = 2
"""Of an epoch that goes on in other batches: how its rest is grouped by length; and in which order its batches come."""
LATER_BATCH_ORDER = 3
