"""Start ZeMosaic: without arguments its window, with arguments the command line."""

import multiprocessing
import sys

from zemosaic.app import main

if __name__ == "__main__":
    multiprocessing.freeze_support()
    sys.exit(main())
