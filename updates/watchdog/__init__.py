"""The portal's watchdog: a container beside the portal that upgrades it, and lives while the portal does not.

It knows no Django and no database. What the two have to say to each other lies in files below DATA_DIR: see `folder`.
"""
