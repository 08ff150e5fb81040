"""What `search` and `ask` reply: found here or by a warm process, printed, written as a page, kept for later.

Asking never waits for keeping and never fails because of it.
"""
