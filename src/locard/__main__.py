"""`python -m locard` is the same as `locard`."""

from locard.cli.main import main

raise SystemExit(main())
