// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package ttlafterfinished_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/apis/batch"
	"github.com/stoa-project/stoa/controllers/ttlafterfinished"
	"github.com/stoa-project/stoa/controllers/work"
)

// local tells of jobs as the stores of a server do.
func local(client kubernetes.Interface) func(schema.GroupVersionResource) cache.ListerWatcher {
	jobs := client.BatchV1().Jobs("")
	return func(schema.GroupVersionResource) cache.ListerWatcher {
		return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
				list, err := jobs.List(ctx, options)
				if err != nil {
					return nil, err
				}
				out := &batch.JobList{ListMeta: list.ListMeta}
				for i := range list.Items {
					out.Items = append(out.Items, batch.Job(list.Items[i]))
				}
				return out, nil
			},
			WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
				from, err := jobs.Watch(ctx, options)
				if err != nil {
					return nil, err
				}
				return watch.Filter(from, func(event watch.Event) (watch.Event, bool) {
					event.Object = (*batch.Job)(event.Object.(*batchv1.Job))
					return event, true
				}), nil
			},
		}, client)
	}
}

// job finished at a time, unless that is zero.
func job(name string, seconds *int32, at time.Time, conditions ...batchv1.JobConditionType) *batchv1.Job {
	out := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Spec: batchv1.JobSpec{TTLSecondsAfterFinished: seconds}}
	for _, c := range conditions {
		out.Status.Conditions = append(out.Status.Conditions, batchv1.JobCondition{Type: c, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(at)})
	}
	return out
}

// Jobs go their time after they finished, also if that changes; others stay.
func TestController(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		goes := job("goes", new(int32(60)), now, batchv1.JobComplete)
		deleted := job("deleted", new(int32(1)), now, batchv1.JobComplete)
		deleted.DeletionTimestamp, deleted.Finalizers = new(metav1.NewTime(now)), []string{"example.com/wait"}
		client := fake.NewClientset(goes, deleted, job("at-once", new(int32(0)), now, batchv1.JobFailed),
			job("ever", nil, now, batchv1.JobComplete), job("longer", new(int32(60)), now, batchv1.JobFailed),
			job("runs", new(int32(1)), time.Time{}), job("suspended", new(int32(1)), now, batchv1.JobSuspended))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			ttlafterfinished.New(work.Server{Client: client, Local: local(client)})(ctx)
		}()
		want := func(when time.Duration, names ...string) {
			t.Helper()
			<-time.After(time.Until(now.Add(when)))
			synctest.Wait()
			list, err := client.BatchV1().Jobs("").List(ctx, metav1.ListOptions{})
			if err != nil {
				t.Error(err)
			}
			var got []string
			for i := range list.Items {
				got = append(got, list.Items[i].Name)
			}
			if diff := cmp.Diff(names, got); diff != "" {
				t.Errorf("after %v (-want +got):\n%s", when, diff)
			}
		}
		update := func(job *batchv1.Job) {
			t.Helper()
			if _, err := client.BatchV1().Jobs("default").Update(ctx, job, metav1.UpdateOptions{}); err != nil {
				t.Error(err)
			}
		}
		want(time.Second, "deleted", "ever", "goes", "longer", "runs", "suspended")
		update(job("longer", new(int32(120)), now, batchv1.JobFailed))
		update(job("runs", new(int32(1)), now.Add(90*time.Second), batchv1.JobSuccessCriteriaMet, batchv1.JobComplete))
		want(59*time.Second, "deleted", "ever", "goes", "longer", "runs", "suspended")
		want(61*time.Second, "deleted", "ever", "longer", "runs", "suspended")
		want(92*time.Second, "deleted", "ever", "longer", "suspended")
		want(121*time.Second, "deleted", "ever", "suspended")
		cancel()
		<-done
	})
}
