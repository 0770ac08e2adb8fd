"""Erlang nodes (and all that runs on the BEAM): spoken with over Erlang's own distribution, without Erlang on this machine."""
