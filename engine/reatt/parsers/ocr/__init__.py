"""Pictures of text -> text: scanned pages of PDFs, PNG, JPEG and TIFF, read by an engine that `reatt[ocr]` installs."""
