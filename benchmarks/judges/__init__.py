"""In: pictures, and what they should show. Out: how well wordings fit, and how far a picture moved.

Read toy, natural and clip (wordings), pixels and perceptual (distances), then edits and toy_edits (all that is measured of an
edited picture).
"""
