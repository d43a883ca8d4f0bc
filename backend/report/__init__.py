"""A take's report: one HTML file about a take that opens anywhere, without a network, a script or the take's folder.

    page.py       the file: sections, tables, the style, light and dark
    facts.py      what take.json says, as rows for people
    timings.py    what the stages of the blocks took
    graphs.py     coverage and timings as SVG
    paths.py      the cameras from above and from the side as SVG
    making.py     Report: take and reference in, then the contact sheet's frames, then the file

It is a pure function of take.json, the reference's views and the frames: made again it is the same file.
"""

from .making import Report, ReportError, make_report, write_report

__all__ = ["Report", "ReportError", "make_report", "write_report"]
