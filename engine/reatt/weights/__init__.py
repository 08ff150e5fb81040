"""Models on disk: their folders, reading and writing weights, adding a model under a name.

- Only `convert` reads pickles, and only `hub_child` downloads.
- A fingerprint covers everything that stored keys depend on.
- `folder` and `needs` import no torch, so that listing models stays fast.
"""
