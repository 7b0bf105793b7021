"""`python -m services.mrr`."""

import sys

from services.mrr.app import main

sys.exit(main())
