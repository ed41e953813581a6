"""In: pictures, and what they should show. Out: how well wordings fit, and how far a picture moved.

Read toy and clip (wordings), pixels (distances), then edits and toy_edits (all that is measured of an edited picture).
"""
