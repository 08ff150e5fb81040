"""What is shown as the answer: which kind a question asks for, and what of the evidence is quoted."""
