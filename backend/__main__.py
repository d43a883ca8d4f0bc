"""`python -m backend`. Also read by Pythons too old for the rest, so that they can say that they are."""

import json
import sys

if sys.version_info < (3, 11):
    sys.stdout.write(
        json.dumps(
            {
                "inspatio": "error",
                "error": "python_too_old",
                "message": "The backend needs Python 3.11 or newer; %s is %d.%d. Choose another in the preferences."
                % ((sys.executable,) + tuple(sys.version_info[:2])),
            }
        )
        + "\n"
    )
    sys.exit(3)

from .cli import main

sys.exit(main())
