"""Every JSON object that `reatt` prints, as pydantic models; `published` lists them by name.

Within a major version ("reatt.ask/2") keys are only added, never renamed or removed.
"""
