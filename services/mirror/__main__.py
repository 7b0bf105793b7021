"""`python -m services.mirror`."""

import sys

from services.mirror.app import main

sys.exit(main())
