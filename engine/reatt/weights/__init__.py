"""Models on disk: their folders, reading and writing weights, adding a model under a name (`foreign`).

- Only `foreign.convert` reads pickles, and only `foreign.hub_child` downloads.
- A fingerprint covers everything that stored keys depend on.
- `folder` and `needs` import no torch, so that listing models stays fast.
"""
