"""`make contracts`: write the generated files."""

from contracts.generate import documents

for path, text in documents().items():
    path.write_text(text)
    print(f"wrote {path.name}")
