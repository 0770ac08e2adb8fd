"""The front page: what runs, what needs a person, how the fleet came to be as it is, and whether the portal itself is well."""
