"""Formats whose text stands between marks: HTML, and the EPUB books and notebooks that are made of such pages."""
