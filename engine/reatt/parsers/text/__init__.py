"""Formats of plain lines: what terminals print, subtitles, LaTeX, calendars, man pages."""
