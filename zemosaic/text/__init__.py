"""Text from outside, made harmless."""
