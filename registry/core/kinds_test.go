// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

// web is a pod template.
const web = "{metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web:1}]}}"

func TestWorkloads(t *testing.T) {
	t.Parallel()
	runAll(t, kindtest.Suite{
		Resource:  schema.GroupVersionResource{Version: "v1", Resource: "pods"},
		Namespace: "default",
		Valid: `
apiVersion: v1
kind: Pod
spec:
  automountServiceAccountToken: false
  tolerations: [{key: a, operator: Exists, effect: NoSchedule}]
  containers: [{name: web, image: web:1}]
`,
		Update:         "spec: {containers: [{name: web, image: web:2}]}",
		Status:         `status: {phase: Running, podIP: 10.1.2.3, podIPs: [{ip: 10.1.2.3}]}`,
		StatusMetadata: true,
		Generation:     true,
		Invalid: []kindtest.Invalid{{
			Name: "nothing to run", Patch: "spec: {containers: []}", Errors: []string{"spec.containers: Required value"},
		}, {
			Name: "one port twice", Patch: "spec: {containers: [{name: web, image: web:1, ports: [{name: a, containerPort: 1}, {name: a, containerPort: 2}]}]}",
			Errors: []string{`spec.containers[0].ports[1].name: Duplicate value: "a"`},
		}, {
			Name: "another restart policy", OnUpdate: true, Patch: "spec: {restartPolicy: Never}",
			Errors: []string{"spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n" +
				"@@ -35,7 +35,7 @@\n   }\n  ],\n  \"EphemeralContainers\": null,\n- \"RestartPolicy\": \"Always\",\n+ \"RestartPolicy\": \"Never\",\n  \"TerminationGracePeriodSeconds\": 30,\n  \"ActiveDeadlineSeconds\": null,\n  \"DNSPolicy\": \"ClusterFirst\",\n"},
		}, {
			Name: "another toleration", OnUpdate: true, Patch: "spec: {tolerations: [{key: b, operator: Exists, effect: NoSchedule}]}",
			Errors: []string{"spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"},
		}},
		Columns: []string{"Name", "Ready", "Status", "Restarts", "Age", "IP", "Node", "Nominated Node", "Readiness Gates"},
		Selectors: map[string]bool{
			"spec.nodeName=": true, "spec.nodeName=a": false, "spec.restartPolicy=Always": true, "spec.schedulerName=default-scheduler": true,
			"spec.serviceAccountName=default": true, "spec.hostNetwork=false": true, "status.phase=Pending": true, "status.podIP=": true,
			"status.nominatedNodeName=a": false,
		},
		ShortNames: []string{"po"},
	}, kindtest.Suite{
		Resource:   schema.GroupVersionResource{Version: "v1", Resource: "podtemplates"},
		Namespace:  "default",
		Valid:      "{apiVersion: v1, kind: PodTemplate, template: " + web + "}",
		Update:     "template: {spec: {containers: [{name: web, image: web:2}]}}",
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name: "nothing to run", Patch: "template: {spec: {containers: []}}", Errors: []string{"template.spec.containers: Required value"},
		}, {
			Name: "no image", OnUpdate: true, Patch: "template: {spec: {containers: [{name: web}]}}", Errors: []string{"template.spec.containers[0].image: Required value"},
		}},
		Columns: []string{"Name", "Containers", "Images", "Pod Labels"},
	}, kindtest.Suite{
		Resource:       schema.GroupVersionResource{Version: "v1", Resource: "replicationcontrollers"},
		Namespace:      "default",
		Valid:          "{apiVersion: v1, kind: ReplicationController, spec: {replicas: 2, selector: {app: web}, template: " + web + "}}",
		Update:         "spec: {replicas: 3}",
		Status:         "status: {replicas: 2, readyReplicas: 1}",
		StatusMetadata: true,
		Generation:     true,
		Orphans:        true,
		Invalid: []kindtest.Invalid{{
			Name: "pods of another", Patch: "spec: {selector: {app: db}}",
			Errors: []string{"spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` does not match template `labels`"},
		}, {
			Name: "less than nothing", OnUpdate: true, Patch: "spec: {replicas: -1}", Errors: []string{"spec.replicas: Invalid value: -1: must be greater than or equal to 0"},
		}},
		Columns:    []string{"Name", "Desired", "Current", "Ready", "Age", "Containers", "Images", "Selector"},
		Selectors:  map[string]bool{"status.replicas=0": true, "status.replicas=2": false},
		ShortNames: []string{"rc"},
	})
}

func TestNetworkKinds(t *testing.T) {
	t.Parallel()
	runAll(t, kindtest.Suite{
		Resource:       schema.GroupVersionResource{Version: "v1", Resource: "services"},
		Namespace:      "default",
		Valid:          "{apiVersion: v1, kind: Service, spec: {type: NodePort, selector: {app: web}, ports: [{name: http, port: 80}]}}",
		Update:         "spec: {selector: {app: other}}",
		Status:         `status: {conditions: [{type: example.com/Seen, status: "True", reason: R, message: "", lastTransitionTime: "2026-01-15T08:05:00Z"}]}`,
		StatusMetadata: true,
		Invalid: []kindtest.Invalid{{
			Name: "no port", Patch: "spec: {ports: []}", Errors: []string{"spec.ports: Required value"},
		}, {
			Name: "an unknown policy", Patch: "spec: {internalTrafficPolicy: Perhaps}",
			Errors: []string{`spec.internalTrafficPolicy: Unsupported value: "Perhaps": supported values: "Cluster", "Local"`},
		}, {
			Name: "a name that is no label", Patch: "metadata: {name: a.b}", Errors: []string{`metadata.name: Invalid value: "a.b": must not contain dots`},
		}, {
			Name: "the address of another", OnUpdate: true, Patch: "spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1]}",
			Errors: []string{`spec.clusterIPs[0]: Invalid value: ["10.0.0.1"]: may not change once set`},
		}},
		Columns:    []string{"Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "Selector"},
		Selectors:  map[string]bool{"spec.type=NodePort": true, "spec.clusterIP=None": false},
		ShortNames: []string{"svc"},
	}, kindtest.Suite{
		Resource:  schema.GroupVersionResource{Version: "v1", Resource: "endpoints"},
		Namespace: "kube-public", // a service takes the endpoints of its name with it
		Valid:     "{apiVersion: v1, kind: Endpoints, subsets: [{addresses: [{ip: 10.1.2.3}], ports: [{name: http, port: 80}]}]}",
		Update:    "subsets: [{addresses: [{ip: 10.1.2.4}], ports: [{name: http, port: 80}]}]",
		Invalid: []kindtest.Invalid{{
			Name: "nobody", Patch: "subsets: [{ports: [{port: 80}]}]", Errors: []string{"subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"},
		}, {
			Name: "a port that is none", OnUpdate: true, Patch: "subsets: [{addresses: [{ip: 10.1.2.3}], ports: [{port: 0}]}]",
			Errors: []string{"subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"},
		}},
		Columns:    []string{"Name", "Endpoints", "Age"},
		ShortNames: []string{"ep"},
	}, kindtest.Suite{
		Resource:  schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"},
		Namespace: "default",
		Valid:     "{apiVersion: v1, kind: ServiceAccount, automountServiceAccountToken: false}",
		Update:    "automountServiceAccountToken: true",
		Invalid: []kindtest.Invalid{{
			Name: "a name with a colon", Patch: "metadata: {name: 'a:b'}",
			Errors: []string{`metadata.name: Invalid value: "a:b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`},
		}},
		Columns:    []string{"Name", "Age"},
		ShortNames: []string{"sa"},
	})
}

func TestVolumes(t *testing.T) {
	t.Parallel()
	runAll(t, kindtest.Suite{
		Resource:       schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumes"},
		Valid:          "{apiVersion: v1, kind: PersistentVolume, spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /mnt}, persistentVolumeReclaimPolicy: Retain}}",
		Update:         "spec: {persistentVolumeReclaimPolicy: Delete}",
		Status:         "status: {phase: Available}",
		StatusMetadata: true,
		KeepsDeleted:   true,
		Invalid: []kindtest.Invalid{{
			Name: "nowhere", Patch: "spec: {hostPath: null}", Errors: []string{"spec: Required value: must specify a volume type"},
		}, {
			Name: "an unknown policy", Patch: "spec: {persistentVolumeReclaimPolicy: Perhaps}",
			Errors: []string{`spec.persistentVolumeReclaimPolicy: Unsupported value: "Perhaps": supported values: "Delete", "Recycle", "Retain"`},
		}, {
			Name: "another place", OnUpdate: true, Patch: "spec: {hostPath: {path: /srv}}",
			Errors: []string{`spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation
@@ -2,7 +2,7 @@
  "GCEPersistentDisk": null,
  "AWSElasticBlockStore": null,
  "HostPath": {
-  "Path": "/mnt",
+  "Path": "/srv",
   "Type": ""
  },
  "Glusterfs": null,
`},
		}},
		Columns: []string{"Name", "Capacity", "Access Modes", "Reclaim Policy", "Status", "Claim", "StorageClass",
			"VolumeAttributesClass", "Reason", "Age", "VolumeMode"},
		ShortNames: []string{"pv"},
	}, kindtest.Suite{
		Resource:       schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"},
		Namespace:      "default",
		Valid:          "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {annotations: {a: b}}, spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1Gi}}}}",
		Update:         "metadata: {annotations: {a: c}}",
		Status:         "status: {phase: Bound, capacity: {storage: 1Gi}}",
		StatusMetadata: true,
		KeepsDeleted:   true,
		Invalid: []kindtest.Invalid{{
			Name: "no access", Patch: "spec: {accessModes: []}", Errors: []string{"spec.accessModes: Required value: at least 1 access mode is required"},
		}, {
			Name: "no size", Patch: "spec: {resources: null}", Errors: []string{"spec.resources[storage]: Required value"},
		}, {
			Name: "more access", OnUpdate: true, Patch: "spec: {accessModes: [ReadWriteMany]}",
			Errors: []string{`spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims
@@ -1,6 +1,6 @@
 {
  "AccessModes": [
-  "ReadWriteOnce"
+  "ReadWriteMany"
  ],
  "Selector": null,
  "Resources": {
`},
		}},
		Columns: []string{"Name", "Status", "Volume", "Capacity", "Access Modes", "StorageClass", "VolumeAttributesClass", "Age",
			"VolumeMode"},
		ShortNames: []string{"pvc"},
	})
}

// runAll runs suites of kinds in one server.
func runAll(t *testing.T, suites ...kindtest.Suite) {
	t.Helper()
	// Pods need an account. Other controllers would change what a test looks at.
	config := stoatest.Start(t, stoatest.WithFlags("--controllers=serviceaccount-controller")).Config()
	for _, suite := range suites {
		t.Run(suite.Resource.Resource, func(t *testing.T) {
			t.Parallel()
			suite.Config = config
			kindtest.Run(t, suite)
		})
	}
}
