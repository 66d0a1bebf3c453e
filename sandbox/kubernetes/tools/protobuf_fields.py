#!/usr/bin/env python3
"""Writes src/protobuf/fields.txt: field numbers of the Kubernetes types, read from the struct tags of k8s.io/api.

    go mod download k8s.io/api@v0.36.3 k8s.io/apimachinery@v0.36.3 k8s.io/apiextensions-apiserver@v0.36.3
    tools/protobuf_fields.py "$(go env GOMODCACHE)" v0.36.3 > src/protobuf/fields.txt

A line is a type and its fields, `number:name:type`. Types: s string, i integer, b boolean, y bytes, d double, Q quantity,
T time, U time with microseconds, I integer or string, R raw JSON, F fields of a manager, otherwise a type of this file.
Before a type: `?` it is a pointer, so zero is a value; `[` list; `{` map by string; `=` inlined into its parent.
After a name: `+` it is written even where it is zero, `-` a struct that is left out where it is empty.
"""
import pathlib, re, sys

cache, version = pathlib.Path(sys.argv[1]), sys.argv[2]
api = cache / f"k8s.io/api@{version}"
PACKAGES = {
    "core": api / "core/v1", "apps": api / "apps/v1", "autoscaling": api / "autoscaling/v1", "batch": api / "batch/v1",
    "coordination": api / "coordination/v1", "discovery": api / "discovery/v1", "networking": api / "networking/v1",
    "policy": api / "policy/v1", "rbac": api / "rbac/v1", "storage": api / "storage/v1",
    "authorization": api / "authorization/v1", "authentication": api / "authentication/v1",
    "apiextensions": cache / f"k8s.io/apiextensions-apiserver@{version}/pkg/apis/apiextensions/v1",
    "meta": cache / f"k8s.io/apimachinery@{version}/pkg/apis/meta/v1",
}
ALIASES = {"v1": "core", "metav1": "meta", "corev1": "core", "api": "core", "authenticationv1": "authentication"}
SPECIAL = {"resource.Quantity": "Q", "meta.Time": "T", "meta.MicroTime": "U", "intstr.IntOrString": "I",
           "runtime.RawExtension": "R", "meta.FieldsV1": "F", "apiextensions.JSON": "R"}
SCALARS = {"string": "s", "bool": "b", "int32": "i", "int64": "i", "int": "i", "uint32": "i", "uint64": "i", "float64": "d", "types.UID": "s"}
ROOTS = """core.ConfigMap core.Endpoints core.Event core.Namespace core.Node core.PersistentVolumeClaim core.PersistentVolume core.Pod
core.Secret core.ServiceAccount core.Service core.Binding apps.ControllerRevision apps.DaemonSet apps.Deployment apps.ReplicaSet
apps.StatefulSet autoscaling.HorizontalPodAutoscaler autoscaling.Scale batch.CronJob batch.Job coordination.Lease
discovery.EndpointSlice networking.Ingress networking.NetworkPolicy policy.PodDisruptionBudget policy.Eviction rbac.ClusterRoleBinding
rbac.ClusterRole rbac.RoleBinding rbac.Role storage.CSIDriver storage.CSINode storage.StorageClass storage.VolumeAttachment
meta.DeleteOptions authorization.SelfSubjectAccessReview authorization.SelfSubjectRulesReview
authorization.SubjectAccessReview authorization.LocalSubjectAccessReview authentication.SelfSubjectReview""".split()

structs, named = {}, {}
FIELD = re.compile(r'^\s+(?:\w+\s+)?(\S+)\s+`json:"([^"]*)".*?protobuf:"([^"]*)"')
for package, folder in PACKAGES.items():
    for path in sorted(folder.glob("*.go")):
        if path.name.endswith("_test.go") or "zz_" in path.name or path.name.startswith("generated"):
            continue
        current = None
        for line in path.read_text().splitlines():
            if m := re.match(r"^type (\w+) struct", line):
                current = structs.setdefault(f"{package}.{m[1]}", [])
            elif line.startswith("}"):
                current = None
            elif m := re.match(r"^type (\w+) (\S+)", line):
                named[f"{package}.{m[1]}"] = (package, m[2])
            elif current is not None and (m := FIELD.match(line)):
                current.append((package, *m.groups()))

def resolve(package, go):
    """The type code of a Go type, and the struct it leads to."""
    for prefix, code in (("*", "?"), ("[]", "["), ("map[string]", "{")):
        if go.startswith(prefix):
            if go == "[]byte":
                return "y", None
            inner, target = resolve(package, go[len(prefix):])
            return code + inner, target
    if go.startswith("map["):
        inner, target = resolve(package, go[go.index("]") + 1:])
        return "{" + inner, target
    if go in SCALARS:
        return SCALARS[go], None
    if "." in go:
        alias, name = go.split(".", 1)
        full = f"{ALIASES.get(alias, alias)}.{name}"
    else:
        full = f"{package}.{go}"
    if full in SPECIAL:
        return SPECIAL[full], None
    if full in named:
        return resolve(*named[full])
    return full, full

done, queue = {}, list(ROOTS)
while queue:
    name = queue.pop()
    if name in done:
        continue
    fields = []
    for package, go, json, protobuf in structs[name]:
        parts = protobuf.split(",")
        if not any(part.startswith("name=") for part in parts):
            continue
        code, target = resolve(package, go)
        label = json.split(",")[0]
        if target:
            queue.append(target)
        if label == "":
            code = "=" + code.lstrip("?")
            label = next(part[5:] for part in parts if part.startswith("name="))
        options = json.split(",")[1:]
        if target == code and "omitzero" in options:
            label += "-"
        elif target != code and not {"omitempty", "omitzero"} & set(options) and not code.startswith("="):
            label += "+"
        fields.append(f"{parts[1]}:{label}:{code}")
    done[name] = fields
for name in sorted(done):
    print(name, *done[name])
