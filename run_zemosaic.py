"""Start ZeMosaic: without arguments its window, with arguments the command line."""

import multiprocessing
import sys

if __name__ == "__main__":
    # A process of the run starts this file again: in a built program it must branch off before anything is loaded.
    multiprocessing.freeze_support()
    from zemosaic.__main__ import main

    sys.exit(main())
