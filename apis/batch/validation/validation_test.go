// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

func TestIndexes(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{
		"": "", "0": "", "1,3-5,9": "",
		"1,1":   "non-increasing order, previous: 1, current: 1",
		"3-2":   "non-increasing order, previous: 3, current: 2",
		"10":    `too large index: "10"`,
		"1-2-3": `the fragment "1-2-3" violates the requirement that an index interval can have at most two parts separated by '-'`,
		"a":     `cannot convert string to integer for index: "a"`,
	} {
		got := ""
		if _, err := countIndexes(list, 10); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", list, got, want)
		}
	}
	if n, _ := countIndexes("1,3-5,9", 10); n != 5 {
		t.Errorf("counted %d, want 5", n)
	}
	for _, tc := range []struct{ completed, failed, want string }{
		{"0,2-4", "1,5", ""}, {"0,2-4", "3", "failedIndexes and completedIndexes overlap at index: 3"}, {"x,2", "0,2", "failedIndexes and completedIndexes overlap at index: 2"},
	} {
		got := ""
		if err := overlap(tc.completed, tc.failed, 10); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s and %s: %s, want %s", tc.completed, tc.failed, got, tc.want)
		}
	}
}

// A rule of the status is asked only when what it is about changes.
func TestJobStatus(t *testing.T) {
	t.Parallel()
	start := metav1.NewTime(time.Unix(1000, 0))
	with := func(s batchv1.JobStatus, kinds ...batchv1.JobConditionType) *batchv1.Job {
		for _, kind := range kinds {
			s.Conditions = append(s.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue})
		}
		return &batchv1.Job{Status: s}
	}
	started := batchv1.JobStatus{StartTime: &start}
	done := batchv1.JobStatus{StartTime: &start, CompletionTime: &start}
	for _, tc := range []struct {
		name     string
		obj, old *batchv1.Job
		want     []string
	}{
		{"completes", with(done, batchv1.JobSuccessCriteriaMet, batchv1.JobComplete), with(started), nil},
		{"completes early", with(done, batchv1.JobComplete), with(started), []string{
			"status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition"}},
		{"was so before", with(done, batchv1.JobComplete), with(done, batchv1.JobComplete), nil},
		{"fails at once", with(started, batchv1.JobFailed), with(started), []string{
			"status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition"}},
		{"comes back", with(started), with(started, batchv1.JobFailureTarget, batchv1.JobFailed), []string{
			"status.conditions: Invalid value: cannot disable the terminal Failed=True condition",
			"status.conditions: Invalid value: cannot disable the terminal FailureTarget=True condition"}},
		{"was never started", with(batchv1.JobStatus{}), with(started), []string{
			"status.startTime: Invalid value: null: field is immutable for unsuspended job once set"}},
		{"forgets", with(batchv1.JobStatus{StartTime: &start, Succeeded: 1}), with(batchv1.JobStatus{StartTime: &start, Succeeded: 2}), []string{
			"status.succeeded: Invalid value: 1: cannot decrease the succeeded counter"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fielderrorstest.Compare(t, tc.want, ValidateJobStatus(tc.obj, tc.old))
		})
	}
}

// Only while nothing was made from it a template changes, and only in part.
func TestTemplateUpdate(t *testing.T) {
	t.Parallel()
	old := &batchv1.Job{Spec: batchv1.JobSpec{Suspend: new(true), Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "a", Image: "b"}},
	}}}}
	check := func(name, want string, old *batchv1.Job, change func(*corev1.PodSpec)) {
		obj := old.DeepCopy()
		change(&obj.Spec.Template.Spec)
		got := ""
		if errs := validateTemplateUpdate(obj, old, field.NewPath("spec", "template")); len(errs) > 0 {
			got = errs[0].Field
		}
		if got != want {
			t.Errorf("%s: an error for %q, want one for %q", name, got, want)
		}
	}
	nodes := func(s *corev1.PodSpec) { s.NodeSelector = map[string]string{"a": "b"} }
	affinity := func(s *corev1.PodSpec) { s.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{}} }
	needs := func(s *corev1.PodSpec) { s.Containers[0].Resources.Claims = []corev1.ResourceClaim{{Name: "c"}} }
	image := func(s *corev1.PodSpec) { s.Containers[0].Image = "c" }
	check("nodes", "", old, nodes)
	check("node affinity", "", old, affinity)
	check("resources", "", old, needs)
	check("image", "spec.template.spec", old, image)
	running := old.DeepCopy()
	running.Spec.Suspend = nil
	check("nodes of a running job", "spec.template", running, nodes)
	started := old.DeepCopy()
	started.Status.StartTime = &metav1.Time{}
	check("nodes of a job that has pods", "spec.template", started, nodes)
	started.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobSuspended, Status: corev1.ConditionTrue}}
	check("nodes of a job that has none any more", "", started, nodes)
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	path := field.NewPath("s")
	for _, tc := range []struct {
		schedule string
		zone     *string
		zoned    bool
		want     string
	}{
		{"*/5 2-4 * * 1-5", new("UTC"), false, ""},
		{"@hourly", nil, false, ""},
		{"* * * *", nil, false, "expected exactly 5 fields, found 4: [* * * *]"},
		{"TZ=0", nil, true, "invalid schedule format:"},
		{"TZ=UTC * * * * *", nil, false, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"},
		{"TZ=UTC * * * * *", nil, true, ""},
		{"TZ=UTC * * * * *", new("UTC"), true, "cannot use both timeZone field and TZ or CRON_TZ in schedule"},
	} {
		errs := validateSchedule(&batchv1.CronJobSpec{Schedule: tc.schedule, TimeZone: tc.zone}, tc.zoned, path)
		if (len(errs) == 0) != (tc.want == "") || !strings.Contains(fmt.Sprint(errs), tc.want) {
			t.Errorf("%s: %v, want %s", tc.schedule, errs, tc.want)
		}
	}
}
