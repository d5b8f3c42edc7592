"""Crops to identities: the RGA network, embedder, people across cameras; training and evaluation."""
