"""`python -m services.detector`."""

import sys

from services.detector.app import main

sys.exit(main())
