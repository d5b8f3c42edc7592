"""Pixels to positions: video, detector, tracker, floor, zones, best crops."""
