"""In: pictures, and what they should show. Out: how well wordings fit, and how far a picture moved.

Read clip (wordings; a world's own judge is with its world), pixels and perceptual (distances), then edits (all that is
measured of an edited picture).
"""
