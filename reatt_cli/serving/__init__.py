"""The warm process: it keeps a model loaded and answers `ask` and `search` for its own user over a socket.

`warm.py` holds the place of the socket, the lock and the client's side, `clients.py` those that wait for an answer, and
`server.py` what answers them. What must stay true: only the user's own processes are answered, from the model and the
vectors that the store has at that moment, and a client that gets no answer loads the model itself.
"""
