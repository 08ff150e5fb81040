"""Was it worth it: measures, comparison before and after, the verdict, and the report of a run.

- Measures are pure functions of one question each; means are the caller's.
- The gate lets chance through at most once in twenty, and says why it refuses.
- A held-out sentence is asked of its text without it.
"""
