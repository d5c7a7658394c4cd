"""The pipeline: scan -> measure -> solve -> calibrate -> plan -> stack -> assemble -> export.

The only code that knows the order of things.  Each phase takes the records of the one before and
returns its own; whatever drops out on the way is in `RunContext.dropped`.
"""
