"""Faults at moments drawn by seed, put upon whole runs of a very small survey."""
