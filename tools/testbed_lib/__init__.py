"""Builds the end-to-end test bed from Debian packages, without installing them on the host."""
