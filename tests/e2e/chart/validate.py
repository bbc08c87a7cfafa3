"""Checks rendered objects against the schemas of Kubernetes' three newest versions, and of the custom resources beside
this file. One process for all of them: reading the schemas takes longer than using them.

standard input: [{"name": "a case", "objects": [...]}]; standard output: {"checked": {version: number}, "problems": [...]}
"""

import functools
import json
import pathlib
import re
import sys

import jsonschema
from kubernetes_validate import utils
from referencing import Registry, Resource

CUSTOM = pathlib.Path(sys.argv[1])
VERSIONS = utils.all_versions()
NEWEST = list(dict.fromkeys(VERSIONS))[-3:]


@functools.cache
def definitions(folder):
    return Resource.from_contents(utils.schema_contents(f"kubernetes-json-schema/{folder}/_definitions.json", folder))


@functools.cache
def built_in(version, kind, api_version):
    folder = f"v{version}-local-strict"
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    schema = utils.schema_contents(f"kubernetes-json-schema/{folder}/{kind.lower()}-{group}.json", version)
    registry = definitions(folder) @ (Resource.from_contents(schema) @ Registry())
    return jsonschema.Draft202012Validator(schema, registry=registry)


@functools.cache
def custom(kind):
    schema = json.loads((CUSTOM / f"{kind}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def validators(kind, api_version):
    if (CUSTOM / f"{kind}.json").exists():
        return [("custom", custom(kind))]
    return [(version, built_in(version, kind, api_version)) for version in NEWEST]


checked, problems, seen = {}, [], set()
for case in json.load(sys.stdin):
    for item in case["objects"]:
        text = json.dumps(item, sort_keys=True)
        if text in seen:
            continue
        seen.add(text)
        for version, validator in validators(item["kind"], item["apiVersion"]):
            checked[version] = checked.get(version, 0) + 1
            for error in validator.iter_errors(item):
                place = "/".join(map(str, error.absolute_path))
                problems.append(f"{case['name']}: {item['kind']} {item['metadata']['name']} ({version}): {place}: {error.message}")
json.dump({"checked": checked, "problems": problems}, sys.stdout)
