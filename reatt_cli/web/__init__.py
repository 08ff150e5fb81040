"""`reatt serve --http`: a page to ask from, and the same questions over HTTP, for this user's programs alone.

Every question goes through the socket of the warm process that this server is part of, so all are answered by one model
and in turn. `guard.py` decides who may ask. Starlette and uvicorn are imported here and nowhere else.
"""
