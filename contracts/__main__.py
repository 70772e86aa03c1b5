"""`make contracts`: write the generated files, and keep what they replace."""

from contracts import FOLDER
from contracts.former import keep_former
from contracts.generate import documents

for path in keep_former(FOLDER):
    print(f"kept {path.relative_to(FOLDER)}: events of that form may be on their way for 15 days")
for path, text in documents().items():
    path.write_text(text)
    print(f"wrote {path.name}")
