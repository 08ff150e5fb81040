"""The replies of `search` and `ask`: found here or by a warm process, printed, written as a page, kept for later.

Keeping an answer never delays a question and never makes it fail.
"""
