"""What a module update does, state by state (seeds/ns8-module-updates.md)."""
