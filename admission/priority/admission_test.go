// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package priority_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/stoa-project/stoa/admission/priority"
	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/scheduling"
)

// plugin is what the tests call.
type plugin interface {
	admission.MutationInterface
	admission.ValidationInterface
}

// withClasses returns a plugin whose informer has the classes.
func withClasses(t *testing.T, classes ...runtime.Object) plugin {
	t.Helper()
	client := fake.NewClientset(classes...)
	factory := informers.NewSharedInformerFactory(client, 0)
	plugins := admission.NewPlugins()
	priority.Register(plugins)
	made, err := plugins.InitPlugin("Priority", nil, genericadmissioninitializer.New(client, nil, factory, nil, nil, nil, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	return made.(plugin)
}

func class(name string, value int32, change ...func(*schedulingv1.PriorityClass)) *schedulingv1.PriorityClass {
	out := &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Value: value}
	for _, do := range change {
		do(out)
	}
	return out
}

func isDefault(c *schedulingv1.PriorityClass) { c.GlobalDefault = true }

func neverPreempts(c *schedulingv1.PriorityClass) {
	c.PreemptionPolicy = new(corev1.PreemptNever)
}

// request is one for a resource of which there is one kind, whose name it need not say.
func request(obj, old runtime.Object, resource schema.GroupVersionResource, subresource string) admission.Attributes {
	operation := admission.Create
	if old != nil {
		operation = admission.Update
	}
	return admission.NewAttributesRecord(obj, old, schema.GroupVersionKind{}, "n", "x", resource, subresource, operation, nil, false, nil)
}

// prioritised is the part of a pod that the plugin is about.
func prioritised(class string, value *int32, policy *corev1.PreemptionPolicy) *core.Pod {
	return &core.Pod{Spec: corev1.PodSpec{PriorityClassName: class, Priority: value, PreemptionPolicy: policy}}
}

// check compares an error with a whole message; none wants no error.
func check(t *testing.T, err error, is func(error) bool, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("error %v", err)
	case want != "" && (!is(err) || err.Error() != want):
		t.Errorf("error %v, want %s", err, want)
	}
}

// A new pod gets the number and the policy of its class, and may not say others.
func TestCreatePod(t *testing.T) {
	t.Parallel()
	never, lower := new(corev1.PreemptNever), new(corev1.PreemptLowerPriority)
	plain := []runtime.Object{class("high", 1000), class("quiet", 10, neverPreempts)}
	withDefault := slices.Concat(plain, []runtime.Object{class("usual", 5, isDefault, neverPreempts)})
	withTwo := slices.Concat(withDefault, []runtime.Object{class("other", 4, isDefault)})
	for name, tc := range map[string]struct {
		classes []runtime.Object
		pod     *core.Pod
		want    *core.Pod // unset: as it was
		err     string
	}{
		"no class":                  {classes: plain, pod: prioritised("", nil, nil), want: prioritised("", new(int32(0)), lower)},
		"default class":             {classes: withDefault, pod: prioritised("", nil, nil), want: prioritised("usual", new(int32(5)), never)},
		"the lower default":         {classes: withTwo, pod: prioritised("", nil, nil), want: prioritised("other", new(int32(4)), lower)},
		"class":                     {classes: withDefault, pod: prioritised("high", nil, nil), want: prioritised("high", new(int32(1000)), lower)},
		"class that never preempts": {classes: plain, pod: prioritised("quiet", nil, nil), want: prioritised("quiet", new(int32(10)), never)},
		"what it is anyway":         {classes: plain, pod: prioritised("quiet", new(int32(10)), never), want: prioritised("quiet", new(int32(10)), never)},
		"unknown class": {classes: plain, pod: prioritised("lost", nil, nil),
			err: `pods "x" is forbidden: no PriorityClass with name lost was found`},
		"another number": {classes: plain, pod: prioritised("high", new(int32(7)), nil),
			err: `pods "x" is forbidden: the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 1000 from the given PriorityClass name`},
		"a number without a class": {classes: plain, pod: prioritised("", new(int32(7)), nil),
			err: `pods "x" is forbidden: the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name`},
		"another policy": {classes: plain, pod: prioritised("quiet", nil, lower),
			err: `pods "x" is forbidden: the string value of PreemptionPolicy (PreemptLowerPriority) must not be provided in pod spec; priority admission controller computed Never from the given PriorityClass name`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod, want := tc.pod.DeepCopy(), tc.want
			if want == nil {
				want = tc.pod
			}
			a := request(pod, nil, corev1.SchemeGroupVersion.WithResource("pods"), "")
			check(t, withClasses(t, tc.classes...).Admit(t.Context(), a, nil), apierrors.IsForbidden, tc.err)
			if diff := cmp.Diff(want, pod); diff != "" {
				t.Errorf("pod (-want +got):\n%s", diff)
			}
		})
	}
}

// An update keeps what it leaves out, whatever became of the class.
func TestUpdatePod(t *testing.T) {
	t.Parallel()
	never, lower := new(corev1.PreemptNever), new(corev1.PreemptLowerPriority)
	for name, tc := range map[string]struct{ pod, old, want *core.Pod }{
		"left out":  {prioritised("gone", nil, nil), prioritised("gone", new(int32(7)), never), prioritised("gone", new(int32(7)), never)},
		"said":      {prioritised("gone", new(int32(8)), lower), prioritised("gone", new(int32(7)), never), prioritised("gone", new(int32(8)), lower)},
		"never set": {prioritised("", nil, nil), prioritised("", nil, nil), prioritised("", nil, nil)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := request(tc.pod, tc.old, corev1.SchemeGroupVersion.WithResource("pods"), "")
			check(t, withClasses(t).Admit(t.Context(), a, nil), nil, "")
			if diff := cmp.Diff(tc.want, tc.pod); diff != "" {
				t.Errorf("pod (-want +got):\n%s", diff)
			}
		})
	}
}

// There is one default class.
func TestDefaultClass(t *testing.T) {
	t.Parallel()
	const refused = `priorityclasses.scheduling.k8s.io "x" is forbidden: PriorityClass usual is already marked as default. Only one default can exist`
	usual := class("usual", 5, isDefault)
	hub := func(c *schedulingv1.PriorityClass) *scheduling.PriorityClass { return (*scheduling.PriorityClass)(c) }
	for name, tc := range map[string]struct {
		classes  []runtime.Object
		obj, old *schedulingv1.PriorityClass
		err      string
	}{
		"the first":                 {obj: class("new", 1, isDefault)},
		"not default":               {classes: []runtime.Object{usual}, obj: class("new", 1)},
		"second":                    {classes: []runtime.Object{usual}, obj: class("new", 1, isDefault), err: refused},
		"the same again":            {classes: []runtime.Object{usual}, obj: usual, err: refused},
		"update of the default":     {classes: []runtime.Object{usual}, obj: usual, old: usual},
		"update makes it default":   {classes: []runtime.Object{usual, class("new", 1)}, obj: class("new", 1, isDefault), old: class("new", 1), err: refused},
		"update makes it the first": {classes: []runtime.Object{class("new", 1)}, obj: class("new", 1, isDefault), old: class("new", 1)},
		"update takes it away":      {classes: []runtime.Object{usual}, obj: class("usual", 5), old: usual},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var old runtime.Object
			if tc.old != nil {
				old = hub(tc.old)
			}
			a := request(hub(tc.obj), old, schedulingv1.SchemeGroupVersion.WithResource("priorityclasses"), "")
			check(t, withClasses(t, tc.classes...).Validate(t.Context(), a, nil), apierrors.IsForbidden, tc.err)
		})
	}
}

// Other requests are not looked at.
func TestOthers(t *testing.T) {
	t.Parallel()
	pods, classes := corev1.SchemeGroupVersion.WithResource("pods"), schedulingv1.SchemeGroupVersion.WithResource("priorityclasses")
	elsewhere := func(resource string) schema.GroupVersionResource {
		return schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: resource}
	}
	p := withClasses(t, class("usual", 5, isDefault))
	if p.Handles(admission.Delete) || p.Handles(admission.Connect) {
		t.Error("looks at requests that write nothing")
	}
	for _, a := range []admission.Attributes{
		request(prioritised("lost", nil, nil), nil, pods, "binding"),
		request(prioritised("lost", nil, nil), prioritised("lost", new(int32(1)), nil), pods, "status"),
		request(prioritised("lost", nil, nil), nil, elsewhere("pods"), ""),
	} {
		check(t, p.Admit(t.Context(), a, nil), nil, "")
		if diff := cmp.Diff(prioritised("lost", nil, nil), a.GetObject()); diff != "" {
			t.Errorf("%s/%s changed (-before +after):\n%s", a.GetResource(), a.GetSubresource(), diff)
		}
	}
	second := &scheduling.PriorityClass{GlobalDefault: true}
	for _, a := range []admission.Attributes{
		request(second, second, classes, "status"),
		request(second, nil, elsewhere("priorityclasses"), ""),
		request(prioritised("lost", nil, nil), nil, pods, ""),
	} {
		check(t, p.Validate(t.Context(), a, nil), nil, "")
	}

	const notPod = "resource was marked with kind Pod but was unable to be converted"
	check(t, p.Admit(t.Context(), request(&core.Node{}, nil, pods, ""), nil), apierrors.IsBadRequest, notPod)
	check(t, p.Admit(t.Context(), request(&core.Pod{}, &core.Node{}, pods, ""), nil), apierrors.IsBadRequest, notPod)
	check(t, p.Validate(t.Context(), request(&core.Pod{}, nil, classes, ""), nil), apierrors.IsBadRequest,
		"resource was marked with kind PriorityClass but was unable to be converted")
}

func TestWithoutInformers(t *testing.T) {
	t.Parallel()
	plugins := admission.NewPlugins()
	priority.Register(plugins)
	_, err := plugins.InitPlugin("Priority", nil, admission.PluginInitializers{})
	if want := `failed to initialize admission plugin "Priority": no lister of priority classes`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
