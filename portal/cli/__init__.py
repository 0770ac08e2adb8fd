"""The operators' command line: `manage.py artifact`, `deploy`, `apply`, `upgrades`, ... call the services that the pages call.

Whoever has a shell here owns the portal, so commands ask for no permission: they act as `cli:<user of the operating system>`,
and that name is in the history. `--as USER` acts as a user of the portal instead, with that user's permissions.

Exit status: 0 done (with --wait: everything succeeded), 1 refused or not succeeded, 2 wrong words, 130 interrupted by Ctrl-C.
`--json` prints what the API answers to the same question.
"""
