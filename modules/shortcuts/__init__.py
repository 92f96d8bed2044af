"""What changes how a network computes, and not what."""
