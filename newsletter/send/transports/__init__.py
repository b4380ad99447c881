"""Adapters that hand messages to a provider."""
