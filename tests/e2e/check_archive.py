"""Opens an archive with Python's zipfile and prints what is in it, counted and hashed anew, as JSON."""

import hashlib
import json
import sys
import zipfile

entries = {}
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    for info in archive.infolist():
        data = archive.read(info)
        rows = json.loads(data) if info.filename.startswith("tables/") else None
        entries[info.filename] = {
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "rows": None if rows is None else len(rows),
            "columns": sorted({tuple(row) for row in rows}) if rows else None,
        }
print(json.dumps(entries))
