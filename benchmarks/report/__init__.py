"""In: results as tables, curves and pictures. Out: CSV, JSON, Markdown and one HTML page.

Read report (what there is to show), bootstrap (means with intervals), then files and plot (how it is written).
"""
