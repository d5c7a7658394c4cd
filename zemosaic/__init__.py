"""ZeMosaic: thousands of raw frames of a smart telescope into one clean wide-field mosaic."""

__version__ = "1.0.0.dev0"
