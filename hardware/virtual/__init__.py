"""A junction without hardware: traffic, loops, heads, and a controller that keeps its own minimums."""
