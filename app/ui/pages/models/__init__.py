"""Choosing, downloading, measuring and removing models."""
