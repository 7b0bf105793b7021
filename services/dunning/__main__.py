"""`python -m services.dunning`."""

import sys

from services.dunning.app import main

sys.exit(main())
