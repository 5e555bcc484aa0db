// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package protection has the controllers that let volumes, claims of volumes and volume
// attributes classes go when they are deleted and nobody uses them any more. Until then a
// finalizer holds them, which the admission plugin StorageObjectInUseProtection gives
// them, and here those that were made without it.
package protection

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/controllers/work"
)

// recheck is how often what is used is looked at again though nothing seems to have
// changed.
const recheck = 5 * time.Minute

// Protection is how the objects of one kind are held.
type Protection struct {
	// Name is that of the controller.
	Name string
	// Resource is what is held.
	Resource schema.GroupVersionResource
	// Users are the resources whose objects use it.
	Users []schema.GroupVersionResource

	finalizer string
	// used asks the server whether somebody uses an object.
	used func(ctx context.Context, client kubernetes.Interface, obj metav1.Object) (bool, error)
	// frees says whether an object that changed, or is gone, may have been the last user
	// of the one with a key.
	frees func(user runtime.Object, gone bool, key string) bool
	// settle is how long changes of users are collected.
	settle time.Duration
}

type controller struct {
	Protection

	server work.Server
	queue  *work.Queue // of keys of objects that may lack the finalizer, or have it too long
	users  sync.WaitGroup
	follow sync.Once

	lock    sync.Mutex
	waiting map[string]bool // keys of those that are deleted and used
}

// New returns the controller: a function that works until its context ends.
func (p Protection) New(server work.Server) func(context.Context) {
	return func(ctx context.Context) {
		c := &controller{Protection: p, server: server, waiting: map[string]bool{}}
		c.queue = work.NewQueue(p.Name, c.sync)
		c.users.Go(func() {
			server.Follow(ctx, work.Watch{Resource: p.Resource, Seen: c.seen, Gone: func(obj metav1.Object) { c.wait(key(obj), false) }})
		})
		c.queue.Run(ctx)
		c.users.Wait()
	}
}

func key(obj metav1.Object) string { return cache.MetaObjectToName(obj).String() }

// seen queues an object that lacks the finalizer, or may be done with it.
func (c *controller) seen(obj metav1.Object) {
	if held := slices.Contains(obj.GetFinalizers(), c.finalizer); held == (obj.GetDeletionTimestamp() != nil) {
		c.queue.Add(key(obj))
	}
}

// wait notes whether an object waits for its users.
func (c *controller) wait(key string, does bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if does {
		c.waiting[key] = true
	} else {
		delete(c.waiting, key)
	}
}

// changed queues those that a user may have let go; all if user is nil.
func (c *controller) changed(user metav1.Object, gone bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if len(c.waiting) == 0 {
		return
	}
	var obj runtime.Object
	if user != nil {
		obj = work.Object(user)
	}
	for key := range c.waiting {
		if user == nil || c.frees(obj, gone, key) {
			c.queue.AddAfter(key, c.settle)
		}
	}
}

// sync takes the finalizer from an object that is deleted and not used, and gives it to
// one that is neither deleted nor has it.
func (c *controller) sync(ctx context.Context, key string) error {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return err
	}
	var objects metadata.ResourceInterface = c.server.Metadata.Resource(c.Resource)
	if namespace != "" {
		objects = c.server.Metadata.Resource(c.Resource).Namespace(namespace)
	}
	obj, err := objects.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		c.wait(key, false)
		return nil
	}
	if err != nil {
		return err
	}
	deleted, held := obj.DeletionTimestamp != nil, slices.Contains(obj.Finalizers, c.finalizer)
	if deleted != held {
		c.wait(key, false)
		return nil
	}
	if !deleted {
		return c.write(ctx, objects, obj, append(obj.Finalizers, c.finalizer))
	}
	// It waits before it is asked for users, so that no end of one is missed.
	c.wait(key, true)
	if len(c.Users) > 0 {
		c.follow.Do(func() { c.followUsers(ctx) })
	}
	used, err := c.used(ctx, c.server.Client, obj)
	if err != nil {
		return err
	}
	if used {
		klog.FromContext(ctx).V(2).Info("Keeping an object that is deleted, because it is used", "controller", c.Name, "object", klog.KObj(obj))
		c.queue.AddAfter(key, recheck)
		return nil
	}
	c.wait(key, false)
	return c.write(ctx, objects, obj, slices.DeleteFunc(obj.Finalizers, func(f string) bool { return f == c.finalizer }))
}

// followUsers watches users from now on. There is no need to before something waits for
// them.
func (c *controller) followUsers(ctx context.Context) {
	for _, resource := range c.Users {
		c.users.Go(func() {
			c.server.Follow(ctx, work.Watch{
				Resource: resource,
				Seen:     func(obj metav1.Object) { c.changed(obj, false) },
				Gone:     func(obj metav1.Object) { c.changed(obj, true) },
				Listed:   func([]metav1.Object) { c.changed(nil, false) },
			})
		})
	}
}

// write gives an object that has not changed meanwhile other finalizers.
func (c *controller) write(ctx context.Context, objects metadata.ResourceInterface, obj *metav1.PartialObjectMetadata, finalizers []string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": obj.UID, "resourceVersion": obj.ResourceVersion, "finalizers": finalizers,
	}})
	if err != nil {
		return err
	}
	_, err = objects.Patch(ctx, obj.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: c.Name})
	switch {
	case apierrors.IsConflict(err):
		return work.AgainError{}
	case apierrors.IsNotFound(err):
		return nil
	}
	return err
}
