// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/warning"
	clienttesting "k8s.io/client-go/testing"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/quota"
	tenancyadmission "github.com/stoa-project/stoa/admission/tenancy"
	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/generated/clientset/versioned/fake"
	"github.com/stoa-project/stoa/generated/informers/externalversions"
)

const label = "tenancy.stoa.dev/tenant"

// tenants are those of all tests: orange has machines and room, full has neither, still
// is suspended and going is being deleted. Olga owns all but gold and purple.
func tenants() []runtime.Object {
	tenant := func(name, owner string) *tenancyv1.Tenant {
		out := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}}
		out.Spec.Owners = []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: owner}}
		return out
	}
	limit := func(t *tenancyv1.Tenant, limit, count int32) {
		t.Spec.Namespaces.Limit, t.Status.Namespaces.Count = &limit, count
	}
	orange := tenant("orange", "olga")
	orange.Spec.Owners = append(orange.Spec.Owners,
		rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "leads"},
		rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "ci", Name: "deployer"})
	orange.Spec.Placement = tenancyv1.Placement{
		NodeSelector: map[string]string{"dedicated": "orange"},
		Tolerations:  []corev1.Toleration{dedicated("orange")},
	}
	limit(orange, 100, 1)
	full := tenant("full", "olga")
	limit(full, 1, 1)
	still := tenant("still", "olga")
	still.Spec.Suspended = true
	going := tenant("going", "olga")
	going.DeletionTimestamp = &metav1.Time{Time: time.Unix(0, 0)}
	gold := tenant("gold", "gina")
	gold.Spec.Placement.Tolerations = []corev1.Toleration{{Key: "node.kubernetes.io/gold", Operator: corev1.TolerationOpExists}}
	return []runtime.Object{orange, full, still, going, gold, tenant("purple", "paul")}
}

func dedicated(to string) corev1.Toleration {
	return corev1.Toleration{Key: "dedicated", Operator: corev1.TolerationOpEqual, Value: to, Effect: corev1.TaintEffectNoSchedule}
}

// start starts the plugin with namespaces that are called as their tenants, one without
// a tenant, one of a tenant that is gone, one of a tenant that is to come, and two nodes.
func start(t *testing.T) (*admissiontest.Plugin, *fake.Clientset) {
	t.Helper()
	client := fake.NewClientset(tenants()...)
	return startWith(t, client, &quota.Charges{}), client
}

func startWith(t *testing.T, client *fake.Clientset, charges *quota.Charges) *admissiontest.Plugin {
	t.Helper()
	objects := []runtime.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "free"}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "lost", Labels: map[string]string{label: "gone"}}},
		&corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: "machine-1", Labels: map[string]string{"dedicated": "orange"}},
			Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: "dedicated", Value: "orange", Effect: corev1.TaintEffectNoSchedule}}},
		},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "machine-2"}},
	}
	for _, name := range []string{"orange", "full", "still", "going", "purple", "late"} {
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{label: name}}})
	}
	factory := externalversions.NewSharedInformerFactory(client, 0)
	p := admissiontest.Start(t, func(plugins *admission.Plugins) { tenancyadmission.Register(plugins, charges) }, admissiontest.Plugin{
		Objects: objects,
		More:    tenancyadmission.Initializer{Client: client, Informers: factory},
		Allow: func(a authorizer.Attributes) bool {
			return a.GetUser().GetName() == "root" && a.GetVerb() == "use" && a.GetAPIGroup() == "tenancy.stoa.dev" && a.GetResource() == "tenants" && a.GetName() != ""
		},
	})
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	return p
}

func as(name string, groups ...string) user.Info {
	return &user.DefaultInfo{Name: name, Groups: groups}
}

// namespace returns one of a tenant; of none if the name is empty.
func namespace(tenant string) *core.Namespace {
	out := &core.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "x"}}
	if tenant != "" {
		out.Labels = map[string]string{label: tenant}
	}
	return out
}

// A namespace belongs to a tenant, moves and leaves only by the word of who owns it.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	const (
		forbidden = `namespaces "x" is forbidden: `
		notOwned  = forbidden + "metadata.labels[tenancy.stoa.dev/tenant]: "
		suspended = forbidden + `tenant "still" is suspended: nothing can be changed in its namespaces`
	)
	p, _ := start(t)
	for name, tc := range map[string]struct {
		who user.Info
		// was and is are the tenants before and after; new says that there was no namespace.
		was, is string
		new     bool
		want    string
	}{
		"of nobody":                {who: as("eve"), new: true},
		"of an owner":              {who: as("olga"), is: "orange", new: true},
		"of a group that owns":     {who: as("lea", "leads"), is: "orange", new: true},
		"of an account that owns":  {who: as("system:serviceaccount:ci:deployer"), is: "orange", new: true},
		"of another account":       {who: as("system:serviceaccount:cd:deployer"), is: "orange", new: true, want: notOwned + `user "system:serviceaccount:cd:deployer" does not own tenant "orange"`},
		"of another's":             {who: as("paul"), is: "orange", new: true, want: notOwned + `user "paul" does not own tenant "orange"`},
		"of none that is there":    {who: as("paul"), is: "gone", new: true, want: notOwned + `user "paul" does not own tenant "gone"`},
		"of none, says who may":    {who: as("root"), is: "gone", new: true, want: notOwned + `there is no tenant "gone"`},
		"by who may use it":        {who: as("root"), is: "orange", new: true},
		"full":                     {who: as("olga"), is: "full", new: true, want: forbidden + `tenant "full" has 1 namespaces, of 1 that it may have`},
		"full for all":             {who: as("root"), is: "full", new: true, want: forbidden + `tenant "full" has 1 namespaces, of 1 that it may have`},
		"suspended":                {who: as("olga"), is: "still", new: true, want: suspended},
		"suspended, of another's":  {who: as("paul"), is: "still", new: true, want: notOwned + `user "paul" does not own tenant "still"`},
		"suspended, by who may":    {who: as("root"), is: "still", new: true},
		"being deleted":            {who: as("olga"), is: "going", new: true, want: forbidden + `tenant "going" is being deleted`},
		"changes otherwise":        {who: as("eve"), was: "orange", is: "orange"},
		"changes, of full":         {who: as("eve"), was: "full", is: "full"},
		"changes, of one gone":     {who: as("eve"), was: "gone", is: "gone"},
		"changes, suspended":       {who: as("olga"), was: "still", is: "still", want: suspended},
		"changes, by the system":   {who: as("system:kube-controller-manager"), was: "still", is: "still"},
		"joins":                    {who: as("olga"), is: "orange"},
		"joins another's":          {who: as("paul"), is: "orange", want: notOwned + `user "paul" does not own tenant "orange"`},
		"leaves":                   {who: as("olga"), was: "orange"},
		"leaves another's":         {who: as("paul"), was: "orange", want: notOwned + `user "paul" does not own tenant "orange"`},
		"leaves a suspended one":   {who: as("olga"), was: "still", want: suspended},
		"leaves one that is gone":  {who: as("eve"), was: "gone"},
		"moves to another's":       {who: as("olga"), was: "orange", is: "purple", want: notOwned + `user "olga" does not own tenant "purple"`},
		"is taken from another":    {who: as("paul"), was: "orange", is: "purple", want: notOwned + `user "paul" does not own tenant "orange"`},
		"moves to a full one":      {who: as("olga"), was: "orange", is: "full", want: forbidden + `tenant "full" has 1 namespaces, of 1 that it may have`},
		"moves by who may use all": {who: as("root"), was: "orange", is: "purple"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := admissiontest.Request{Resource: corev1.SchemeGroupVersion.WithResource("namespaces"), Namespace: "x", Obj: namespace(tc.is), User: tc.who}
			if !tc.new {
				request.Old = namespace(tc.was)
			}
			admissiontest.Check(t, p.Do(t.Context(), request), tc.want)
		})
	}
}

// Each namespace of a tenant with a limit is counted when it is created, but not if that
// is only tried.
func TestNamespacesAreCounted(t *testing.T) {
	t.Parallel()
	p, client := start(t)
	for _, step := range []struct {
		request admissiontest.Request
		want    int32
	}{
		{admissiontest.Request{Obj: namespace("orange"), DryRun: true}, 1},
		{admissiontest.Request{Obj: namespace("orange")}, 2},
		{admissiontest.Request{Obj: namespace("orange"), Old: namespace("")}, 3},
		{admissiontest.Request{Obj: namespace("orange"), Old: namespace("orange")}, 3},
		{admissiontest.Request{Obj: namespace(""), Old: namespace("orange")}, 3}, // the controller counts those that go
		{admissiontest.Request{Old: namespace("orange"), Operation: admission.Delete}, 3},
	} {
		step.request.Resource, step.request.User = corev1.SchemeGroupVersion.WithResource("namespaces"), as("olga")
		admissiontest.Check(t, p.Do(t.Context(), step.request), "")
		orange, err := client.TenancyV1().Tenants().Get(t.Context(), "orange", metav1.GetOptions{})
		if err != nil || orange.Status.Namespaces.Count != step.want {
			t.Errorf("count %d, want %d, %v", orange.Status.Namespaces.Count, step.want, err)
		}
	}
}

// A request that gives a namespace to a tenant is known before it reads the tenant, with a
// limit or without: the tenant may be deleted meanwhile.
func TestRequestsAreKnown(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		tenant, owner string
		dry, want     bool
	}{
		"without a limit": {tenant: "purple", owner: "paul", want: true},
		"with a limit":    {tenant: "orange", owner: "olga", want: true},
		"a dry run":       {tenant: "purple", owner: "paul", dry: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, charges := fake.NewClientset(tenants()...), &quota.Charges{}
			p := startWith(t, client, charges)
			over, reads := make(chan struct{}), 0
			client.PrependReactor("get", "tenants", func(clienttesting.Action) (bool, runtime.Object, error) {
				if reads++; charges.After(func() { close(over) }, "tenants/"+tc.tenant) != tc.want {
					t.Errorf("known when the tenant is read: %t, want %t", !tc.want, tc.want)
				}
				return false, nil, nil
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			request := admissiontest.Request{Resource: corev1.SchemeGroupVersion.WithResource("namespaces"), Obj: namespace(tc.tenant), User: as(tc.owner), DryRun: tc.dry}
			admissiontest.Check(t, p.Do(ctx, request), "")
			if reads != 1 {
				t.Fatalf("%d reads", reads)
			}
			cancel()
			if tc.want {
				<-over
			}
		})
	}
}

// In the namespaces of a suspended tenant nothing is written, whatever it is and however.
func TestSuspended(t *testing.T) {
	t.Parallel()
	const refused = ` is forbidden: tenant "still" is suspended: nothing can be changed in its namespaces`
	p, _ := start(t)
	secrets, pods := corev1.SchemeGroupVersion.WithResource("secrets"), corev1.SchemeGroupVersion.WithResource("pods")
	namespaces, reviews := corev1.SchemeGroupVersion.WithResource("namespaces"), metav1.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: "localsubjectaccessreviews"}
	secret := &core.Secret{ObjectMeta: metav1.ObjectMeta{Name: "x"}}
	request := func(change func(*admissiontest.Request)) admissiontest.Request {
		out := admissiontest.Request{Resource: secrets, Namespace: "still", Obj: secret, User: as("olga")}
		change(&out)
		return out
	}
	for name, tc := range map[string]struct {
		change func(*admissiontest.Request)
		want   string
	}{
		"create": {func(*admissiontest.Request) {}, `secrets "x"` + refused},
		"update": {func(r *admissiontest.Request) { r.Old = secret }, `secrets "x"` + refused},
		"delete": {func(r *admissiontest.Request) { r.Obj, r.Operation = nil, admission.Delete }, `secrets "x"` + refused},
		"status": {func(r *admissiontest.Request) { r.Old, r.Subresource = secret, "status" }, `secrets "x"` + refused},
		"exec": {func(r *admissiontest.Request) {
			r.Resource, r.Subresource, r.Obj, r.Operation = pods, "exec", nil, admission.Connect
		}, `pods "x"` + refused},
		"the namespace": {func(r *admissiontest.Request) {
			r.Resource, r.Obj, r.Old, r.Operation = namespaces, nil, namespace("still"), admission.Delete
		}, `namespaces "x"` + refused},
		"other namespaces": {func(r *admissiontest.Request) { r.Namespace = "orange" }, ""},
		"no tenant":        {func(r *admissiontest.Request) { r.Namespace = "free" }, ""},
		"a tenant gone":    {func(r *admissiontest.Request) { r.Namespace = "lost" }, ""},
		"no namespace":     {func(r *admissiontest.Request) { r.Namespace = "nowhere" }, ""},
		"who may use it":   {func(r *admissiontest.Request) { r.User = as("root") }, ""},
		"the system":       {func(r *admissiontest.Request) { r.User = as("system:kube-scheduler") }, ""},
		"its accounts":     {func(r *admissiontest.Request) { r.User = as("system:serviceaccount:kube-system:cleaner") }, ""},
		"other accounts":   {func(r *admissiontest.Request) { r.User = as("system:serviceaccount:still:robot") }, `secrets "x"` + refused},
		"nobody":           {func(r *admissiontest.Request) { r.User = as("system:anonymous") }, `secrets "x"` + refused},
		"questions are not": {func(r *admissiontest.Request) {
			r.Resource.Group, r.Resource.Resource = reviews.Group, reviews.Resource
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admissiontest.Check(t, p.Do(t.Context(), request(tc.change)), tc.want)
		})
	}
}

// What holds for a tenant holds from the first request on, also if the informer does not
// know it yet.
func TestInformerIsLate(t *testing.T) {
	t.Parallel()
	client := fake.NewClientset(tenants()...)
	client.PrependWatchReactor("tenants", func(clienttesting.Action) (bool, watch.Interface, error) { return true, watch.NewFake(), nil })
	p := startWith(t, client, &quota.Charges{})
	late := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "late"}}
	late.Spec.Placement.NodeSelector = map[string]string{"dedicated": "late"}
	late.Spec.Suspended = true
	if err := client.Tracker().Add(late); err != nil {
		t.Fatal(err)
	}
	const suspended = ` is forbidden: tenant "late" is suspended: nothing can be changed in its namespaces`
	placed := pod(corev1.PodSpec{})
	request := admissiontest.Request{Resource: corev1.SchemeGroupVersion.WithResource("pods"), Namespace: "late", Obj: placed, User: as("olga")}
	admissiontest.Check(t, p.Do(t.Context(), request), `pods "x"`+suspended)
	request.User = as("root")
	admissiontest.Check(t, p.Do(t.Context(), request), "")
	if got := placed.Spec.NodeSelector["dedicated"]; got != "late" {
		t.Errorf("placed on %q", got)
	}
	request = admissiontest.Request{Resource: corev1.SchemeGroupVersion.WithResource("namespaces"), Obj: namespace("late"), Old: namespace("late"), User: as("olga")}
	admissiontest.Check(t, p.Do(t.Context(), request), `namespaces "x"`+suspended)
}

// A count that somebody else wrote meanwhile is read again.
func TestNamespacesAreCountedAgain(t *testing.T) {
	t.Parallel()
	p, client := start(t)
	conflicts := 2
	client.PrependReactor("update", "tenants", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if conflicts--; conflicts < 0 {
			return false, nil, nil
		}
		return true, nil, apierrors.NewConflict(action.GetResource().GroupResource(), "orange", errors.New("somebody was faster"))
	})
	request := admissiontest.Request{Resource: corev1.SchemeGroupVersion.WithResource("namespaces"), Obj: namespace("orange"), User: as("olga")}
	admissiontest.Check(t, p.Do(t.Context(), request), "")
	orange, err := client.TenancyV1().Tenants().Get(t.Context(), "orange", metav1.GetOptions{})
	if err != nil || orange.Status.Namespaces.Count != 2 {
		t.Errorf("count %d, want 2, %v", orange.Status.Namespaces.Count, err)
	}
}

// recorder takes down warnings.
type recorder struct{ texts []string }

func (r *recorder) AddWarning(_, text string) { r.texts = append(r.texts, text) }

// Who deletes a tenant is told which namespaces it waits for.
func TestDeletedTenantWarns(t *testing.T) {
	t.Parallel()
	p, _ := start(t)
	tenant := func(namespaces ...string) *tenancy.Tenant {
		out := &tenancy.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "orange"}}
		out.Status.Namespaces.Names = namespaces
		return out
	}
	many := strings.Split("a b c d e f g h i j k", " ")
	for name, tc := range map[string]struct {
		request admissiontest.Request
		want    []string
	}{
		"empty":       {admissiontest.Request{Old: tenant(), Operation: admission.Delete}, nil},
		"some":        {admissiontest.Request{Old: tenant("a", "b"), Operation: admission.Delete}, []string{`tenant "orange" is gone when its namespaces are deleted: a, b`}},
		"many":        {admissiontest.Request{Old: tenant(many...), Operation: admission.Delete}, []string{`tenant "orange" is gone when its namespaces are deleted: a, b, c, d, e, f, g, h, i, j, and others`}},
		"not deleted": {admissiontest.Request{Obj: tenant("a"), Old: tenant("a")}, nil},
		"all at once": {admissiontest.Request{Operation: admission.Delete}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got recorder
			tc.request.Resource = tenancy.Resource("tenants").WithVersion("v1")
			admissiontest.Check(t, p.Do(warning.WithWarningRecorder(t.Context(), &got), tc.request), "")
			if diff := cmp.Diff(tc.want, got.texts); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
