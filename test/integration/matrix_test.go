// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// matrix says who may do what by the roles that every server has. A line has a request
// and the letters of those who may:
//
//	0 system:anonymous      S system:kube-scheduler             m group system:monitoring
//	U anybody logged in     C system:kube-controller-manager    s a service account
//	M system:masters        P system:kube-proxy
//	v e a r who has view, edit, admin or cluster-admin in one namespace, and there alone
//	V E A R who has it everywhere
//	* all but anonymous
//
// A request is a verb and a resource of a namespace, a resource after "cluster" or a
// path. Who has something in one namespace must not have it in another.
const matrix = `
get pods                                                     M vear VEAR S
list pods                                                    M vear VEAR S C
watch pods                                                   M vear VEAR S C
create pods                                                  M ear EAR
update pods                                                  M ear EAR
patch pods                                                   M ear EAR
delete pods                                                  M ear EAR S
deletecollection pods                                        M ear EAR
get pods/log                                                 M vear VEAR
get pods/status                                              M vear VEAR
patch pods/status                                            M r R S
create pods/binding                                          M r R S
create pods/eviction                                         M ear EAR
create pods/exec                                             M ear EAR
get pods/exec                                                M ear EAR
create pods/attach                                           M ear EAR
create pods/portforward                                      M ear EAR
get pods/proxy                                               M ear EAR
update pods/ephemeralcontainers                              M r R
list configmaps                                              M vear VEAR C
create configmaps                                            M ear EAR
get secrets                                                  M ear EAR C
list secrets                                                 M ear EAR C
create secrets                                               M ear EAR C
get serviceaccounts                                          M vear VEAR C
create serviceaccounts                                       M ear EAR C
create serviceaccounts/token                                 M ear EAR C
impersonate serviceaccounts                                  M ear EAR
get services                                                 M vear VEAR S
create services                                              M ear EAR
get services/proxy                                           M ear EAR
update services/status                                       M r R
list endpoints                                               M vear VEAR P C
create endpoints                                             M r R
create events                                                M ear EAR S C P
get events                                                   M vear VEAR
create events.events.k8s.io                                  M ear EAR S C P
get limitranges                                              M vear VEAR
create limitranges                                           M r R
get resourcequotas                                           M vear VEAR
create resourcequotas                                        M r R
get persistentvolumeclaims                                   M vear VEAR S
create persistentvolumeclaims                                M ear EAR
get replicationcontrollers/scale                             M vear VEAR
get deployments.apps                                         M vear VEAR
delete deployments.apps                                      M ear EAR
patch deployments.apps/scale                                 M ear EAR
patch deployments.apps/status                                M r R
list statefulsets.apps                                       M vear VEAR S C
get controllerrevisions.apps                                 M vear VEAR
create controllerrevisions.apps                              M r R
create jobs.batch                                            M ear EAR
get cronjobs.batch/status                                    M vear VEAR
update horizontalpodautoscalers.autoscaling                  M ear EAR
list poddisruptionbudgets.policy                             M vear VEAR S C
deletecollection networkpolicies.networking.k8s.io           M ear EAR
get ingresses.networking.k8s.io/status                       M vear VEAR
list endpointslices.discovery.k8s.io                         M vear VEAR P C
create endpointslices.discovery.k8s.io                       M r R
create leases.coordination.k8s.io                            M ear EAR S C
get roles.rbac.authorization.k8s.io                          M ar AR
create rolebindings.rbac.authorization.k8s.io                M ar AR
bind roles.rbac.authorization.k8s.io                         M r R
escalate roles.rbac.authorization.k8s.io                     M r R
create localsubjectaccessreviews.authorization.k8s.io        M ar AR
get widgets.example.com                                      M r R
list widgets.example.com                                     M r R C
get tenants.tenancy.stoa.dev                                 M r R
cluster get namespaces                                       M VEAR S C
cluster create namespaces                                    M R
cluster delete namespaces                                    M R
cluster get nodes                                            M R S P
cluster list nodes                                           M R S P C
cluster patch nodes/status                                   M R
cluster get nodes/proxy                                      M R
cluster get nodes/metrics                                    M R m
cluster get persistentvolumes                                M R S
cluster list storageclasses.storage.k8s.io                   M R S C
cluster list csinodes.storage.k8s.io                         M R S C
cluster get clusterroles.rbac.authorization.k8s.io           M R
cluster create clusterrolebindings.rbac.authorization.k8s.io M R
cluster bind clusterroles.rbac.authorization.k8s.io          M R
cluster create tokenreviews.authentication.k8s.io            M R S C
cluster create subjectaccessreviews.authorization.k8s.io     M R S C
cluster create selfsubjectaccessreviews.authorization.k8s.io *
cluster create selfsubjectrulesreviews.authorization.k8s.io  *
cluster create selfsubjectreviews.authentication.k8s.io      *
cluster impersonate users                                    M R
cluster impersonate groups                                   M R
cluster create certificatesigningrequests.certificates.k8s.io M R
cluster list clustertrustbundles.certificates.k8s.io         M R C s
cluster list customresourcedefinitions.apiextensions.k8s.io  M R C
cluster create validatingwebhookconfigurations.admissionregistration.k8s.io M R
cluster list flowschemas.flowcontrol.apiserver.k8s.io        M R C
cluster list secrets                                         M EAR C
cluster list pods                                            M VEAR S C
get /version                                                 0 *
get /healthz                                                 0 *
get /livez                                                   0 *
get /readyz                                                  0 *
get /readyz/etcd                                             M R m
get /api                                                     *
get /apis/apps                                               *
get /openapi/v3                                              *
post /api                                                    M R
get /metrics                                                 M R m
get /metrics/slis                                            M R m
get /debug/pprof/                                            M R
get /statusz                                                 M R m
get /flagz                                                   M R m
get /.well-known/openid-configuration                        M R s
get /openid/v1/jwks                                          M R s
get /logs                                                    M R
get /                                                        M R
`

// bound are the roles of the users whose letters they have.
var bound = map[rune]string{
	'v': "view", 'e': "edit", 'a': "admin", 'r': "cluster-admin",
	'V': "view", 'E': "edit", 'A': "admin", 'R': "cluster-admin",
}

// users are those of the matrix, with their groups.
func users(namespace string) map[rune][]string {
	out := map[rune][]string{
		'0': {"system:anonymous", "system:unauthenticated"},
		'U': {"somebody", "system:authenticated"},
		'M': {"master", "system:masters", "system:authenticated"},
		'S': {"system:kube-scheduler", "system:authenticated"},
		'C': {"system:kube-controller-manager", "system:authenticated"},
		'P': {"system:kube-proxy", "system:authenticated"},
		'm': {"prometheus", "system:monitoring", "system:authenticated"},
		's': {"system:serviceaccount:" + namespace + ":default", "system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
	for letter := range bound {
		out[letter] = []string{string(letter) + "-" + namespace, "system:authenticated"}
	}
	return out
}

// TestMatrix asks for each line whether each user may.
func TestMatrix(t *testing.T) {
	t.Parallel()
	own, other := newNamespace(t), newNamespace(t)
	all := users(own)
	for letter, role := range bound {
		if letter >= 'a' {
			bind(t, own, role, all[letter][0])
			continue
		}
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: all[letter][0]}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: all[letter][0]}},
		}
		if _, err := admin(t).RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = admin(t).RbacV1().ClusterRoleBindings().Delete(context.WithoutCancel(t.Context()), binding.Name, metav1.DeleteOptions{})
		})
	}
	who := func(spec authorizationv1.SubjectAccessReviewSpec) string {
		var out []rune
		for letter, names := range all {
			spec.User, spec.Groups = names[0], names[1:]
			review, err := admin(t).AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if review.Status.Allowed {
				out = append(out, letter)
			}
		}
		slices.Sort(out)
		return string(out)
	}
	// The roles get their rules, and the bindings are known, a moment later.
	known := authorizationv1.SubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: own, Verb: "get", Resource: "pods"}}
	eventually(t, func() string {
		if got := who(known); !strings.Contains(got, "AEMRSVaerv") {
			return "pods may be read by " + got
		}
		return ""
	})
	for line := range strings.Lines(strings.TrimSpace(matrix)) {
		words := strings.Fields(line)
		everywhere := words[0] == "cluster"
		if everywhere {
			words = words[1:]
		}
		want := []rune(strings.Join(words[2:], ""))
		if at := slices.Index(want, '*'); at >= 0 {
			want = slices.Delete(want, at, at+1)
			for letter := range all {
				if letter != '0' {
					want = append(want, letter)
				}
			}
		}
		slices.Sort(want)
		for _, namespace := range []string{own, other} {
			spec := requestOf(words[0], words[1], namespace)
			if everywhere && spec.ResourceAttributes != nil {
				spec.ResourceAttributes.Namespace = ""
			}
			expected := string(want)
			if namespace == other && !everywhere && spec.ResourceAttributes != nil {
				expected = strings.Map(func(r rune) rune {
					if bound[r] != "" && r >= 'a' {
						return -1
					}
					return r
				}, expected)
			}
			if got := who(spec); got != expected {
				t.Errorf("%s in %s: may %s, want %s", strings.TrimSpace(line), namespace, got, expected)
			}
		}
	}
}

// requestOf reads "pods.group/subresource" or a path.
func requestOf(verb, object, namespace string) authorizationv1.SubjectAccessReviewSpec {
	if strings.HasPrefix(object, "/") {
		return authorizationv1.SubjectAccessReviewSpec{NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: object, Verb: verb}}
	}
	object, subresource, _ := strings.Cut(object, "/")
	resource := schema.ParseGroupResource(object)
	return authorizationv1.SubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
		Namespace: namespace, Verb: verb, Group: resource.Group, Resource: resource.Resource, Subresource: subresource, Name: "x",
	}}
}
