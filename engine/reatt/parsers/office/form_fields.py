"""The boxes and lists of old Word forms: what is checked and chosen is stored as a number, not as text."""

from __future__ import annotations

from dataclasses import dataclass, field

FIELDS = frozenset({"checkBox", "ddList"})
PARTS = frozenset({"default", "checked", "result", "listEntry"})


@dataclass
class FormField:
    """One field that is being read."""

    chosen: str = "0"  # whether it is checked, or the number of an entry
    entries: list[str] = field(default_factory=list)

    def take(self, name: str, has: dict[str, str]) -> None:
        """Take one of the PARTS; the default comes before what was chosen."""
        if name == "listEntry":
            self.entries.append(has.get("val", ""))
        else:
            self.chosen = has.get("val", "1")

    def text(self) -> str:
        """Return what the form shows."""
        if self.entries:
            return next((entry for number, entry in enumerate(self.entries) if str(number) == self.chosen), "")
        return "[x]" if self.chosen in ("1", "true", "on") else "[ ]"
