"""A model on disk: its folder, reading and writing its weights, adding one under a name.

- Nothing is unpickled but by `convert`, and nothing is downloaded but by `hub_child`.
- A fingerprint covers all that stored keys depend on.
- `folder` and `needs` import no torch, so that listing models stays fast.
"""
