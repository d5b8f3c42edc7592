"""Identities to tables: store configuration, density metrics, the lake, Prefect flows, command line."""
