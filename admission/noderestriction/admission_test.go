// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package noderestriction_test

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/component-base/featuregate"

	"github.com/stoa-project/stoa/admission/noderestriction"
	"github.com/stoa-project/stoa/apis/coordination"
	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/resource"
	"github.com/stoa-project/stoa/apis/storage"
)

// gates are those of 1.37, but for those that are named, which are turned round.
func gates(t *testing.T, turned ...string) featuregate.FeatureGate {
	t.Helper()
	out := featuregate.NewFeatureGate()
	specs := map[featuregate.Feature]featuregate.FeatureSpec{
		"AllowInsecureKubeletCertificateSigningRequests": {Default: false},
		"ServiceAccountNodeAudienceRestriction":          {Default: true},
		"PodCertificateRequest":                          {Default: true},
	}
	for _, name := range turned {
		spec := specs[featuregate.Feature(name)]
		spec.Default = !spec.Default
		specs[featuregate.Feature(name)] = spec
	}
	if err := out.Add(specs); err != nil {
		t.Fatal(err)
	}
	return out
}

// rights are what the authorizer allows, each as "verb group/resource namespace/name".
type rights string

func (r rights) authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if a.GetVerb()+" "+a.GetAPIGroup()+"/"+a.GetResource()+" "+a.GetNamespace()+"/"+a.GetName() == string(r) {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

// settings are what a plugin is made from.
type settings struct {
	turned  []string
	rights  rights
	objects []runtime.Object
}

func (s settings) plugin(t *testing.T) admission.MutationInterface {
	t.Helper()
	plugins := admission.NewPlugins()
	noderestriction.Register(plugins)
	made, err := plugins.InitPlugin("NodeRestriction", nil, genericadmissioninitializer.New(
		fake.NewClientset(s.objects...), nil, nil, authorizer.AuthorizerFunc(s.rights.authorize), gates(t, s.turned...), nil, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	return made.(admission.MutationInterface)
}

// request is a write of node n1, or of who, in namespace ns.
type request struct {
	who                          user.Info
	operation                    admission.Operation
	group, resource, subresource string
	name                         string
	namespace                    string
	obj, old                     runtime.Object
}

func kubelet(name string) user.Info {
	return &user.DefaultInfo{Name: "system:node:" + name, Groups: []string{"system:nodes"}}
}

// admit returns the error of a plugin, empty if it admits the request.
func admit(t *testing.T, p admission.MutationInterface, r request) string {
	t.Helper()
	if r.who == nil {
		r.who = kubelet("n1")
	}
	resource := schema.GroupVersionResource{Group: r.group, Version: "v1", Resource: r.resource}
	if !p.Handles(r.operation) {
		return ""
	}
	err := p.Admit(t.Context(), admission.NewAttributesRecord(r.obj, r.old, schema.GroupVersionKind{}, r.namespace, r.name, resource, r.subresource, r.operation, nil, false, r.who), nil)
	if err == nil {
		return ""
	}
	return err.Error()
}

// row is a request and what is said of it. A want that ends in … is the beginning.
type row struct {
	about string
	request
	want string
}

func check(t *testing.T, p admission.MutationInterface, rows []row) {
	t.Helper()
	for _, tc := range rows {
		got := admit(t, p, tc.request)
		if begin, cut := strings.CutSuffix(tc.want, "…"); got != tc.want && (!cut || !strings.HasPrefix(got, begin)) {
			t.Errorf("%s:\n got %s\nwant %s", tc.about, got, tc.want)
		}
	}
}

// Objects by another name than the hub types have.
func pod(change ...func(*corev1.Pod)) *core.Pod {
	return (*core.Pod)(stored(change...))
}

// stored is a pod of node n1.
func stored(change ...func(*corev1.Pod)) *corev1.Pod {
	out := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "web", UID: "web-uid"}, Spec: corev1.PodSpec{NodeName: "n1"}}
	for _, do := range change {
		do(out)
	}
	return out
}

func onNode(name string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Spec.NodeName = name } }

func named(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Name, p.UID = name, types.UID(name+"-uid") }
}

// mirror makes a pod one that n1 may create.
func mirror(p *corev1.Pod) {
	p.Annotations = map[string]string{"kubernetes.io/config.mirror": "hash"}
	p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: "n1", UID: "n1-uid", Controller: new(true)}}
}

func withVolume(v corev1.VolumeSource) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "v", VolumeSource: v})
	}
}

func withSource(s corev1.VolumeProjection) func(*corev1.Pod) {
	return withVolume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{s}}})
}

// TestWho restricts nodes, and nobody else.
func TestWho(t *testing.T) {
	t.Parallel()
	p := settings{}.plugin(t)
	other := request{operation: admission.Update, resource: "nodes", name: "n2", obj: &core.Node{}, old: &core.Node{}}
	as := func(who user.Info) request {
		r := other
		r.who = who
		return r
	}
	check(t, p, []row{
		{"a user", as(&user.DefaultInfo{Name: "ann", Groups: []string{"system:nodes"}}), ""},
		{"not in the group", as(&user.DefaultInfo{Name: "system:node:n1"}), ""},
		{"a node", other, `nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"`},
		{"nobody's node", as(kubelet("")), `nodes "n2" is forbidden: could not determine node from user "system:node:"`},
		{"another resource", request{operation: admission.Create, resource: "services", obj: &core.Service{}}, ""},
		{"a connection", request{operation: admission.Connect, resource: "pods", subresource: "exec", obj: &core.Pod{}}, ""},
	})
}

// TestInitialization says what is missing.
func TestInitialization(t *testing.T) {
	t.Parallel()
	plugins := admission.NewPlugins()
	noderestriction.Register(plugins)
	_, err := plugins.InitPlugin("NodeRestriction", nil, genericadmissioninitializer.New(nil, nil, nil, nil, gates(t), nil, nil, nil))
	if want := "NodeRestriction plugin needs a client, an authorizer and feature gates"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestNode is about the object of the node.
func TestNode(t *testing.T) {
	t.Parallel()
	node := func(labels map[string]string, change ...func(*core.Node)) *core.Node {
		out := &core.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: labels}}
		for _, do := range change {
			do(out)
		}
		return out
	}
	source := func(name string) func(*core.Node) {
		return func(n *core.Node) {
			n.Spec.ConfigSource = &corev1.NodeConfigSource{ConfigMap: &corev1.ConfigMapNodeConfigSource{Name: name}} //nolint:staticcheck // may be sent
		}
	}
	tainted := func(n *core.Node) { n.Spec.Taints = []corev1.Taint{{Key: "a", Effect: corev1.TaintEffectNoSchedule}} }
	owned := func(n *core.Node) { n.OwnerReferences = []metav1.OwnerReference{{Kind: "ConfigMap", Name: "gone"}} }
	create := func(n *core.Node) request {
		return request{operation: admission.Create, resource: "nodes", name: "n1", obj: n}
	}
	update := func(n, old *core.Node) request {
		return request{operation: admission.Update, resource: "nodes", name: "n1", obj: n, old: old}
	}
	status := update(node(map[string]string{"kubernetes.io/x": "1"}), node(nil))
	status.subresource = "status"
	type labels = map[string]string
	fine := labels{
		"kubernetes.io/hostname": "n1", "kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64", "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "arm64",
		"topology.kubernetes.io/zone": "a", "topology.kubernetes.io/region": "b", "failure-domain.beta.kubernetes.io/zone": "a", "failure-domain.beta.kubernetes.io/region": "b",
		"node.kubernetes.io/instance-type": "big", "beta.kubernetes.io/instance-type": "big", "x.node.kubernetes.io/y": "", "kubelet.kubernetes.io/y": "", "x.kubelet.kubernetes.io/y": "",
		"example.com/role": "web", "role": "web", "notkubernetes.io/x": "",
	}
	const forbidden = `nodes "n1" is forbidden: `
	check(t, settings{}.plugin(t), []row{
		{"create", create(node(fine, tainted)), ""},
		{"create with a source", create(node(nil, source("a"))), forbidden + `node "n1" is not allowed to create pods with a non-nil configSource`},
		{
			"create with labels", create(node(labels{"node-restriction.kubernetes.io/x": "", "a.node-restriction.kubernetes.io/x": "", "k8s.io/x": "", "x.k8s.io/y": "", "kubernetes.io/role": "", "a": ""})),
			forbidden + `node "n1" is not allowed to set the following labels: a.node-restriction.kubernetes.io/x, k8s.io/x, kubernetes.io/role, node-restriction.kubernetes.io/x, x.k8s.io/y`,
		},
		{"create what is no node", request{operation: admission.Create, resource: "nodes", name: "n1", obj: &core.Pod{}}, forbidden + "unexpected type *core.Pod"},
		{"update", update(node(fine, tainted, owned), node(nil, tainted, owned)), ""},
		{"update labels that were there", update(node(labels{"kubernetes.io/role": "a", "b": "c"}), node(labels{"kubernetes.io/role": "a"})), ""},
		{"change a label", update(node(labels{"kubernetes.io/role": "b"}), node(labels{"kubernetes.io/role": "a"})), forbidden + "is not allowed to modify labels: kubernetes.io/role"},
		{"remove a label", update(node(nil), node(labels{"node-restriction.kubernetes.io/x": "a"})), forbidden + "is not allowed to modify labels: node-restriction.kubernetes.io/x"},
		{"through the status", status, forbidden + "is not allowed to modify labels: kubernetes.io/x"},
		{"add taints", update(node(nil, tainted), node(nil)), forbidden + `node "n1" is not allowed to modify taints`},
		{"remove taints", update(node(nil), node(nil, tainted)), forbidden + `node "n1" is not allowed to modify taints`},
		{"add an owner", update(node(nil, owned), node(nil)), forbidden + `node "n1" is not allowed to modify ownerReferences`},
		{"keep a source", update(node(nil, source("a")), node(nil, source("a"))), ""},
		{"drop a source", update(node(nil), node(nil, source("a"))), ""},
		{"change a source", update(node(nil, source("b")), node(nil, source("a"))), forbidden + `node "n1" is not allowed to update configSource to a new non-nil configSource`},
		{"delete", request{operation: admission.Delete, resource: "nodes", name: "n1", old: node(nil)}, ""},
		{"delete another", request{operation: admission.Delete, resource: "nodes", name: "n2", old: node(nil)}, `nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"`},
	})
}

// TestOwnNames is about objects that bear the name of the node, or name it.
func TestOwnNames(t *testing.T) {
	t.Parallel()
	lease := func(name string) *coordination.Lease {
		return &coordination.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	csi := func(name string) *storage.CSINode { return &storage.CSINode{ObjectMeta: metav1.ObjectMeta{Name: name}} }
	slice := func(node *string) *resource.ResourceSlice {
		return &resource.ResourceSlice{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Spec: resourcev1.ResourceSliceSpec{NodeName: node}}
	}
	const (
		leases, csiNodes, dra = "coordination.k8s.io", "storage.k8s.io", "resource.k8s.io"
		ownLease              = "can only access node lease with the same name as the requesting node"
		ownCSI                = "can only access CSINode with the same name as the requesting node"
	)
	check(t, settings{}.plugin(t), []row{
		{"create a lease", request{operation: admission.Create, group: leases, resource: "leases", namespace: "kube-node-lease", obj: lease("n1")}, ""},
		{"create another's lease", request{operation: admission.Create, group: leases, resource: "leases", namespace: "kube-node-lease", obj: lease("n2")}, `leases.coordination.k8s.io "n2" is forbidden: ` + ownLease},
		{"create it elsewhere", request{operation: admission.Create, group: leases, resource: "leases", namespace: "ns", obj: lease("n1")}, `leases.coordination.k8s.io "n1" is forbidden: can only access leases in the "kube-node-lease" system namespace`},
		{"update a lease", request{operation: admission.Update, group: leases, resource: "leases", namespace: "kube-node-lease", name: "n1", obj: lease("n1")}, ""},
		{"update another's lease", request{operation: admission.Update, group: leases, resource: "leases", namespace: "kube-node-lease", name: "n2", obj: lease("n2")}, `leases.coordination.k8s.io "n2" is forbidden: ` + ownLease},
		{"delete a lease", request{operation: admission.Delete, group: leases, resource: "leases", namespace: "kube-node-lease", name: "n1"}, ""},
		{"create a CSI node", request{operation: admission.Create, group: csiNodes, resource: "csinodes", obj: csi("n1")}, ""},
		{"create another's CSI node", request{operation: admission.Create, group: csiNodes, resource: "csinodes", obj: csi("n2")}, `csinodes.storage.k8s.io "n2" is forbidden: ` + ownCSI},
		{"update a CSI node", request{operation: admission.Update, group: csiNodes, resource: "csinodes", name: "n1", obj: csi("n1")}, ""},
		{"delete another's CSI node", request{operation: admission.Delete, group: csiNodes, resource: "csinodes", name: "n2"}, `csinodes.storage.k8s.io "n2" is forbidden: ` + ownCSI},
		{"create a slice", request{operation: admission.Create, group: dra, resource: "resourceslices", obj: slice(new("n1"))}, ""},
		{"create another's slice", request{operation: admission.Create, group: dra, resource: "resourceslices", obj: slice(new("n2"))}, `resourceslices.resource.k8s.io "s" is forbidden: can only create ResourceSlice with the same NodeName as the requesting node`},
		{"create nobody's slice", request{operation: admission.Create, group: dra, resource: "resourceslices", obj: slice(nil)}, `resourceslices.resource.k8s.io "s" is forbidden: can only create ResourceSlice with the same NodeName as the requesting node`},
		{"update a slice", request{operation: admission.Update, group: dra, resource: "resourceslices", name: "s", obj: slice(new("n2"))}, ""},
		{"delete a slice", request{operation: admission.Delete, group: dra, resource: "resourceslices", name: "s", old: slice(new("n1"))}, ""},
		{"delete another's slice", request{operation: admission.Delete, group: dra, resource: "resourceslices", name: "s", old: slice(new("n2"))}, `resourceslices.resource.k8s.io "s" is forbidden: can only delete ResourceSlice with the same NodeName as the requesting node`},
	})
}
