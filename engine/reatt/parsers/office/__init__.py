"""What office programs write: documents, presentations, workbooks, tables, RTF."""
