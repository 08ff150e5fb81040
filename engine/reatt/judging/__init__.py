"""Whether a training run helped: measures, comparison before and after, the verdict, and the report of a run.

- Measures are pure functions of one question each; the caller takes means.
- The gate accepts a chance improvement at most once in twenty, and says why it refuses a model.
- A held-out sentence is asked as a cloze question, because it stands word for word in its text.
"""
