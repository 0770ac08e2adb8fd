"""A demo fleet with a history worth looking at: made by the portal's own services, on devices that are folders."""
