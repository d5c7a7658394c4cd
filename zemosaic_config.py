"""Names that other programs import from here: where ASTAP is."""

from zemosaic.solving.solvers.astap_find import detect_astap_installation

__all__ = ["detect_astap_installation"]
