// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package rootca is the controller that tells every namespace by which certificates to
// know the server: a config map that pods mount beside the tokens of their accounts, and
// that is put right when somebody changes or deletes it.
package rootca

import (
	"context"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/controllers/work"
)

const (
	// Name is that of the controller.
	Name = "root-ca-certificate-publisher-controller"
	// queueName is that of the queue in metrics, which is upstream's.
	queueName = "root_ca_cert_publisher"

	configMap   = "kube-root-ca.crt"
	key         = "ca.crt"
	annotation  = "kubernetes.io/description"
	description = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. " +
		"No other usage is guaranteed across distributions of Kubernetes clusters."
)

// syncs are for all servers of a process, which have one registry of metrics.
var syncs = sync.OnceValue(func() work.Syncs { //nolint:gochecknoglobals // like the registry
	const help = "Number of namespace syncs happened in root ca cert publisher."
	return work.NewSyncs(queueName, help, help)
})

type controller struct {
	server     work.Server
	namespaces corelisters.NamespaceLister
	queue      *work.Queue // of the names of namespaces that may lack the config map
	repairs    work.Repairs

	lock sync.Mutex
	// right are the namespaces that have it; nil until all config maps were seen.
	right map[string]struct{}
}

// New returns the controller: a function that works until its context ends.
func New(server work.Server) func(context.Context) {
	informer := server.Informers.Core().V1().Namespaces()
	shared := informer.Informer()
	return func(ctx context.Context) {
		if len(server.RootCA) == 0 {
			return
		}
		c := &controller{server: server, namespaces: informer.Lister(), repairs: work.Repairs{Controller: Name}}
		c.queue = work.NewQueue(queueName, c.ensure)
		registration, err := shared.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    c.changed,
			UpdateFunc: func(_, obj any) { c.changed(obj) },
			DeleteFunc: c.gone,
		})
		if err != nil {
			klog.FromContext(ctx).Error(err, "Certificates of the server are not published")
			return
		}
		var following sync.WaitGroup
		following.Go(func() {
			if cache.WaitFor(ctx, "", shared.HasSyncedChecker()) {
				server.Follow(ctx, work.Watch{
					Resource: corev1.SchemeGroupVersion.WithResource("configmaps"), Fields: "metadata.name=" + configMap,
					Seen:   func(obj metav1.Object) { c.seen(ctx, obj) },
					Gone:   func(obj metav1.Object) { c.lost(ctx, obj.GetNamespace()) },
					Listed: c.listed,
				})
			}
		})
		c.queue.Run(ctx, shared)
		_ = shared.RemoveEventHandler(registration)
		following.Wait()
	}
}

// changed queues a namespace that is new, or lacks the config map still.
func (c *controller) changed(obj any) {
	if namespace, ok := obj.(*corev1.Namespace); ok && !c.has(namespace.Name) {
		c.queue.Add(namespace.Name)
	}
}

func (c *controller) gone(obj any) {
	if name, err := cache.DeletionHandlingObjectToName(obj); err == nil {
		c.note(name.Name, false)
		c.repairs.Forget(name.Name)
	}
}

// has says whether a namespace needs nothing, or that is not known yet.
func (c *controller) has(namespace string) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	_, has := c.right[namespace]
	return has || c.right == nil
}

func (c *controller) note(namespace string, right bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if right && c.right != nil {
		c.right[namespace] = struct{}{}
	} else {
		delete(c.right, namespace)
	}
}

func (c *controller) seen(ctx context.Context, obj metav1.Object) {
	if c.isRight(obj) {
		c.note(obj.GetNamespace(), true)
		return
	}
	c.lost(ctx, obj.GetNamespace())
}

// lost has the config map of a namespace made again, or put right.
func (c *controller) lost(ctx context.Context, namespace string) {
	c.note(namespace, false)
	c.queue.AddAfter(namespace, c.repairs.Wait(ctx, namespace))
}

// listed queues all namespaces that are not among those with the config map.
func (c *controller) listed(objs []metav1.Object) {
	right := map[string]struct{}{}
	for _, obj := range objs {
		if c.isRight(obj) {
			right[obj.GetNamespace()] = struct{}{}
		}
	}
	c.lock.Lock()
	c.right = right
	c.lock.Unlock()
	namespaces, err := c.namespaces.List(labels.Everything())
	if err != nil {
		return // a lister of what is in memory has no errors
	}
	for _, namespace := range namespaces {
		c.changed(namespace)
	}
}

func (c *controller) isRight(obj metav1.Object) bool {
	have, ok := work.Object(obj).(*core.ConfigMap)
	return ok && c.equal((*corev1.ConfigMap)(have))
}

func (c *controller) equal(have *corev1.ConfigMap) bool {
	return maps.Equal(have.Data, c.data()) && have.Annotations[annotation] != ""
}

func (c *controller) data() map[string]string { return map[string]string{key: string(c.server.RootCA)} }

// ensure makes the config map, or puts it right.
func (c *controller) ensure(ctx context.Context, name string) (err error) {
	begin := time.Now()
	defer func() { syncs().Observe(begin, err) }()
	namespace, err := c.namespaces.Get(name)
	if apierrors.IsNotFound(err) || err == nil && namespace.Status.Phase != corev1.NamespaceActive {
		return nil
	}
	if err != nil {
		return err
	}
	configMaps := c.server.Client.CoreV1().ConfigMaps(name)
	have, err := configMaps.Get(ctx, configMap, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		want := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: configMap, Namespace: name, Annotations: map[string]string{annotation: description}},
			Data:       c.data(),
		}
		_, err = configMaps.Create(ctx, want, metav1.CreateOptions{})
		// The namespace may have begun to go, or be gone, since the informer saw it.
		if apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			return nil
		}
	case err == nil && !c.equal(have):
		have.Data = c.data()
		metav1.SetMetaDataAnnotation(&have.ObjectMeta, annotation, description)
		_, err = configMaps.Update(ctx, have, metav1.UpdateOptions{})
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return work.AgainError{}
	}
	return err
}
