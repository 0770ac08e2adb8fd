"""The part of the Mender server's management API that mender-cli and scripts in the field use."""
