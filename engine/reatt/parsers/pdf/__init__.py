"""PDF: a child process reads it (`child`), `layout` orders the words, `reading` checks and cleans the result."""
