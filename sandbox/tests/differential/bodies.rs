//! What sequences write: for each kind a body that is accepted, and fragments that may be merged into it, most of them good.

use serde_json::{Value, json};

/// Base and fragments of a kind; null and none for kinds that only controllers write.
pub(crate) fn of(plural: &str) -> (Value, Vec<Value>) {
    let (base, mut fragments) = match plural {
        "namespaces" => (json!({}), vec![json!({"spec": {"finalizers": ["kubernetes"]}})]),
        "configmaps" => config_map(),
        "secrets" => secret(),
        "serviceaccounts" => service_account(),
        "services" => service(),
        "leases" => lease(),
        "widgets" => widget(),
        "storageclasses" => storage_class(),
        "persistentvolumes" => volume(),
        "persistentvolumeclaims" => claim(),
        "statefulsets" => stateful_set(),
        "deployments" => deployment(),
        "pods" => (json!({"spec": pod_spec()}), pod_fragments()),
        _ => return (Value::Null, Vec::new()),
    };
    fragments.extend([
        json!({"metadata": {"labels": {"tier": "front", "app": "web"}}}),
        json!({"metadata": {"labels": {"tier": "back"}}}),
        json!({"metadata": {"annotations": {"note": "one"}}}),
        json!({"metadata": {"annotations": {"note": "two", "example.com/other": "3"}}}),
        json!({"metadata": {"finalizers": ["example.com/hold"]}}),
    ]);
    (base, fragments)
}

fn config_map() -> (Value, Vec<Value>) {
    let fragments = vec![
        json!({"data": {"a": "1", "b": "2"}}),
        json!({"data": {"a": "3", "c.d": ""}}),
        json!({"binaryData": {"x": "AAEC"}}),
        json!({"immutable": true}),
        json!({"data": {"not a key": "1"}}),
        json!({"binaryData": {"a": "AAEC"}}),
        json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Secret", "name": "a", "uid": "${uid secrets/a}"}]}}),
    ];
    (json!({"data": {"key": "value"}}), fragments)
}

fn secret() -> (Value, Vec<Value>) {
    let fragments = vec![
        json!({"stringData": {"a": "plain"}}),
        json!({"data": {"a": "c2VjcmV0", "b": ""}}),
        json!({"type": "kubernetes.io/tls", "data": {"tls.crt": "", "tls.key": ""}}),
        json!({"type": "kubernetes.io/basic-auth"}),
        json!({"type": "example.com/own"}),
        json!({"data": {"a": "not base64!"}}),
        json!({"immutable": true}),
    ];
    (json!({"data": {"key": "dmFsdWU="}}), fragments)
}

fn service_account() -> (Value, Vec<Value>) {
    let fragments = vec![
        json!({"automountServiceAccountToken": false}),
        json!({"imagePullSecrets": [{"name": "a"}, {"name": "b"}]}),
        json!({"secrets": [{"name": "a"}]}),
    ];
    (json!({}), fragments)
}

fn service() -> (Value, Vec<Value>) {
    let fragments = vec![
        json!({"spec": {"selector": {"app": "web"}}}),
        json!({"spec": {"clusterIP": "None"}}),
        json!({"spec": {"type": "NodePort"}}),
        json!({"spec": {"type": "LoadBalancer", "loadBalancerClass": "example.com/none"}}),
        json!({"spec": {"type": "LoadBalancer", "loadBalancerClass": "example.com/none", "loadBalancerSourceRanges": ["10.0.0.0/8", "192.168.0.0/16"]}}),
        json!({"spec": {"loadBalancerSourceRanges": ["10.0.0.0/33"]}}),
        json!({"spec": {"type": "ExternalName", "externalName": "example.com"}}),
        json!({"spec": {"ports": [{"name": "http", "port": 80, "targetPort": "web"}, {"name": "https", "port": 443}]}}),
        json!({"spec": {"ports": [{"port": 80}, {"port": 81}]}}),
        json!({"spec": {"ports": [{"port": 53, "protocol": "UDP"}]}}),
        json!({"spec": {"ports": [{"port": 0}]}}),
        json!({"spec": {"ports": [{"port": 80, "nodePort": 99}]}}),
        json!({"spec": {"sessionAffinity": "ClientIP"}}),
        json!({"spec": {"externalTrafficPolicy": "Local"}}),
        json!({"spec": {"publishNotReadyAddresses": true}}),
        json!({"spec": {"ipFamilyPolicy": "RequireDualStack"}}),
        json!({"spec": {"externalIPs": ["1.2.3.4"]}}),
    ];
    (json!({"spec": {"ports": [{"port": 80}]}}), fragments)
}

fn lease() -> (Value, Vec<Value>) {
    let fragments = vec![
        json!({"spec": {"holderIdentity": "a", "leaseDurationSeconds": 15, "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:01.5Z"}}),
        json!({"spec": {"holderIdentity": "b", "leaseTransitions": 2}}),
        json!({"spec": {"leaseDurationSeconds": 0}}),
        json!({"spec": {"leaseTransitions": -1}}),
        json!({"spec": {"renewTime": "yesterday"}}),
    ];
    (json!({"spec": {"holderIdentity": "a"}}), fragments)
}

fn widget() -> (Value, Vec<Value>) {
    let fragments = vec![
        json!({"spec": {"colour": "green", "replicas": 2}}),
        json!({"spec": {"title": "short", "ratio": 0.5, "on": false}}),
        json!({"spec": {"parts": [{"name": "x"}, {"name": "y", "size": 4}]}}),
        json!({"spec": {"parts": [{"name": "y", "size": 5}, {"name": "z"}]}}),
        json!({"spec": {"parts": [{"name": "x"}, {"name": "x"}]}}),
        json!({"spec": {"parts": [{"size": 10}]}}),
        json!({"spec": {"tags": ["a", "b"]}}),
        json!({"spec": {"tags": ["b", "c"]}}),
        json!({"spec": {"tags": ["a", "a"]}}),
        json!({"spec": {"steps": ["1", "2"]}}),
        json!({"spec": {"steps": ["1", "2", "3", "4"]}}),
        json!({"spec": {"options": {"k": "v"}}}),
        json!({"spec": {"free": {"any": [1, {"thing": true}]}}}),
        json!({"spec": {"colour": "blue"}}),
        json!({"spec": {"title": "much too long"}}),
        json!({"spec": {"title": "BAD"}}),
        json!({"spec": {"replicas": -1}}),
        json!({"spec": {"limit": "10%"}}),
        json!({"spec": {"limit": 10}}),
        json!({"status": {"replicas": 1, "note": "n"}}),
    ];
    (json!({"spec": {"colour": "red"}}), fragments)
}

fn storage_class() -> (Value, Vec<Value>) {
    let fragments = vec![
        json!({"parameters": {"type": "gp3"}}),
        json!({"parameters": {"type": "gp2", "iops": "100"}}),
        json!({"volumeBindingMode": "WaitForFirstConsumer"}),
        json!({"volumeBindingMode": "Sometime"}),
        json!({"reclaimPolicy": "Retain"}),
        json!({"reclaimPolicy": "Recycle"}),
        json!({"allowVolumeExpansion": true}),
        json!({"mountOptions": ["debug"]}),
        json!({"allowedTopologies": [{"matchLabelExpressions": [{"key": "topology.kubernetes.io/zone", "values": ["us-east-1a"]}]}]}),
        json!({"provisioner": ""}),
    ];
    (
        json!({"metadata": {"labels": {"token": "${u}"}}, "provisioner": "ebs.csi.aws.com"}),
        fragments,
    )
}

/// A volume for nobody here: when the real binder finds one for a claim depends on when it last looked at all claims.
fn volume() -> (Value, Vec<Value>) {
    let base = json!({"metadata": {"labels": {"token": "${u}"}}, "spec": {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
        "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0123456789abcdef0"},
        "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "t-${u}",
    }});
    let zone = json!({"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-east-1a"]});
    let fragments = vec![
        json!({"spec": {"capacity": {"storage": "1024Mi"}}}),
        json!({"spec": {"capacity": {"storage": "0"}}}),
        json!({"spec": {"capacity": {"storage": "2Gi", "memory": "1"}}}),
        json!({"spec": {"claimRef": {"namespace": "${ns}", "name": "nobody"}}}),
        json!({"spec": {"claimRef": {"namespace": "${ns}", "name": "nobody", "uid": "${uid persistentvolumeclaims/a}"}}}),
        json!({"spec": {"persistentVolumeReclaimPolicy": "Delete"}}),
        json!({"spec": {"accessModes": []}}),
        json!({"spec": {"accessModes": ["ReadWriteSometimes"]}}),
        json!({"spec": {"accessModes": ["ReadWriteMany", "ReadOnlyMany"]}}),
        json!({"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}}}}),
        json!({"spec": {"mountOptions": ["debug"]}}),
        json!({"spec": {"volumeMode": "Block"}}),
        json!({"spec": {"csi": null, "hostPath": {"path": "/tmp/x"}}}),
        json!({"spec": {"hostPath": {"path": "/tmp/x"}}}),
        json!({"spec": {"csi": {"fsType": "ext4", "volumeAttributes": {"k": "v"}}}}),
        json!({"spec": {"csi": {"volumeHandle": ""}}}),
    ];
    (base, fragments)
}

fn claim() -> (Value, Vec<Value>) {
    let base = json!({"spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "s-${u}",
    }});
    let fragments = vec![
        json!({"spec": {"volumeName": "nothing-${u}"}}),
        json!({"spec": {"volumeMode": "Block"}}),
        json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}}),
        json!({"spec": {"resources": {"requests": {"storage": "0.5Gi"}, "limits": {"storage": "4Gi"}}}}),
        json!({"spec": {"resources": {"requests": {"storage": "-1"}}}}),
        json!({"spec": {"resources": {"requests": null}}}),
        json!({"spec": {"accessModes": null}}),
        json!({"spec": {"accessModes": ["ReadWriteOncePod", "ReadWriteOnce"]}}),
        json!({"spec": {"selector": {"matchLabels": {"token": "${u}"}}}}),
        json!({"spec": {"dataSource": {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "s"}}}),
        json!({"spec": {"storageClassName": "Not A Name"}}),
    ];
    (base, fragments)
}

/// A pod that no scheduler places, so that nothing happens to it that depends on time.
fn pod_spec() -> Value {
    json!({"containers": [{"name": "web", "image": "nginx"}], "schedulerName": "nobody", "terminationGracePeriodSeconds": 0})
}

fn pod_spec_fragments() -> Vec<Value> {
    vec![
        json!({"containers": [{"name": "web", "image": "nginx:1.27", "ports": [{"containerPort": 80, "name": "http"}]}]}),
        json!({"containers": [{"name": "web", "image": "nginx", "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}]}),
        json!({"containers": [{"name": "web", "image": "nginx", "resources": {"requests": {"cpu": "0.1", "memory": "128Mi"}, "limits": {"cpu": 1}}}]}),
        json!({"containers": [{"name": "web", "image": "nginx"}, {"name": "side", "image": "busybox@sha256:0000000000000000000000000000000000000000000000000000000000000000", "command": ["sh"], "args": ["-c", "true"]}]}),
        json!({"containers": [{"name": "web", "image": "nginx"}, {"name": "web", "image": "nginx"}]}),
        json!({"containers": [{"name": "web", "image": "nginx", "readinessProbe": {"httpGet": {"port": 80, "path": "/"}}, "livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 5}}]}),
        json!({"containers": [{"name": "web", "image": "nginx", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}], "volumes": [{"name": "data", "emptyDir": {}}]}),
        json!({"containers": [{"name": "web", "image": "nginx", "volumeMounts": [{"name": "nowhere", "mountPath": "/data"}]}]}),
        json!({"containers": [{"name": "Web", "image": ""}]}),
        json!({"containers": []}),
        json!({"initContainers": [{"name": "init", "image": "busybox"}]}),
        json!({"volumes": [{"name": "cm", "configMap": {"name": "a"}}, {"name": "se", "secret": {"secretName": "a", "defaultMode": 256}}, {"name": "cl", "persistentVolumeClaim": {"claimName": "a"}}]}),
        json!({"volumes": [{"name": "two", "emptyDir": {}, "hostPath": {"path": "/"}}]}),
        json!({"volumes": [{"name": "pr", "projected": {"sources": [{"configMap": {"name": "a"}}, {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]}}]}),
        json!({"nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoSchedule"}]}),
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}]}}}}),
        json!({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "web"}}}]}),
        json!({"securityContext": {"runAsUser": 1000, "fsGroup": 2000}}),
        json!({"serviceAccountName": "default"}),
        json!({"restartPolicy": "OnFailure"}),
        json!({"dnsPolicy": "None"}),
        json!({"hostNetwork": true}),
        json!({"terminationGracePeriodSeconds": 5}),
    ]
}

fn pod_fragments() -> Vec<Value> {
    pod_spec_fragments()
        .into_iter()
        .map(|spec| json!({"spec": spec}))
        .collect()
}

fn template() -> Value {
    json!({"metadata": {"labels": {"app": "web"}}, "spec": pod_spec()})
}

fn template_fragments() -> Vec<Value> {
    let mut fragments: Vec<Value> = pod_spec_fragments()
        .into_iter()
        .map(|spec| json!({"spec": {"template": {"spec": spec}}}))
        .collect();
    fragments.extend([
        json!({"spec": {"template": {"metadata": {"annotations": {"restarted": "now"}}}}}),
        json!({"spec": {"template": {"metadata": {"labels": {"app": "other"}}}}}),
        json!({"spec": {"selector": {"matchLabels": {"app": "other"}}}}),
        json!({"spec": {"selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}}}),
        json!({"spec": {"selector": {"matchLabels": null}}}),
        json!({"spec": {"replicas": 0}}),
        json!({"spec": {"replicas": 2}}),
        json!({"spec": {"replicas": -1}}),
        json!({"spec": {"minReadySeconds": 1}}),
        json!({"spec": {"revisionHistoryLimit": 2}}),
    ]);
    fragments
}

fn stateful_set() -> (Value, Vec<Value>) {
    let base =
        json!({"spec": {"serviceName": "web", "selector": {"matchLabels": {"app": "web"}}, "template": template()}});
    let claim = |size: &str| {
        json!({"metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "s-${u}", "resources": {"requests": {"storage": size}}}})
    };
    let mut fragments = template_fragments();
    fragments.extend([
        json!({"spec": {"volumeClaimTemplates": [claim("1Gi")]}}),
        json!({"spec": {"volumeClaimTemplates": [claim("2048Mi")]}}),
        json!({"spec": {"podManagementPolicy": "Parallel"}}),
        json!({"spec": {"podManagementPolicy": "Sideways"}}),
        json!({"spec": {"updateStrategy": {"type": "OnDelete"}}}),
        json!({"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}}}),
        json!({"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}}),
        json!({"spec": {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}}),
        json!({"spec": {"ordinals": {"start": 3}}}),
        json!({"spec": {"serviceName": "other"}}),
    ]);
    (base, fragments)
}

fn deployment() -> (Value, Vec<Value>) {
    let base = json!({"spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template()}});
    let mut fragments = template_fragments();
    fragments.extend([
        json!({"spec": {"strategy": {"type": "Recreate"}}}),
        json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 0}}}}),
        json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}}}),
        json!({"spec": {"paused": true}}),
        json!({"spec": {"progressDeadlineSeconds": 30}}),
    ]);
    (base, fragments)
}
