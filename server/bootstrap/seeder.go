// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/value"
	"k8s.io/apiserver/pkg/storage/value/encrypt/identity"
)

const (
	// batch is how many operations one transaction has: etcd's limit is 128.
	batch = 100
	// attempts are made while others write the same objects.
	attempts = 3
)

// errConflict says that an object changed between reading and writing it.
var errConflict = errors.New("another server wrote default objects at the same time")

// Seeder writes default objects where the stores of a server keep theirs.
type Seeder struct {
	// Scheme knows the types.
	Scheme *runtime.Scheme
	// Options say how each resource is stored.
	Options generic.RESTOptionsGetter
	// Client returns the client of an etcd cluster.
	Client func(context.Context, storagebackend.TransportConfig) (*clientv3.Client, error)
	// Serves says whether a resource is served. Objects of others are left out.
	Serves func(schema.GroupVersionResource) bool
}

// entry is an object on its way into etcd.
type entry struct {
	Object
	key    string
	config *storagebackend.ConfigForResource
	client *clientv3.Client
	// value is what is to be written; nil if nothing is. modified is the revision of
	// the stored object that it replaces; 0 if there is none.
	value    []byte
	modified int64
}

// Run makes the objects be there. It is called at each start, before anything is
// served, and again if it fails. It reads once, and writes once if it has to.
func (s *Seeder) Run(ctx context.Context, objects []Object) error {
	entries, err := s.entries(ctx, objects)
	if err != nil {
		return err
	}
	for range attempts {
		if err = s.run(ctx, entries); !errors.Is(err, errConflict) {
			return err
		}
	}
	return err
}

func (s *Seeder) run(ctx context.Context, entries []*entry) error {
	if err := inBatches(ctx, entries, s.read); err != nil {
		return fmt.Errorf("read default objects: %w", err)
	}
	changed := slices.DeleteFunc(slices.Clone(entries), func(e *entry) bool { return e.value == nil })
	if err := inBatches(ctx, changed, write); err != nil {
		return fmt.Errorf("write default objects: %w", err)
	}
	return nil
}

// entries finds out where the objects are stored.
func (s *Seeder) entries(ctx context.Context, objects []Object) ([]*entry, error) {
	type place struct {
		options generic.RESTOptions
		client  *clientv3.Client
	}
	places := map[schema.GroupVersionResource]place{}
	var out []*entry
	for _, o := range objects {
		if !s.Serves(o.Resource) {
			continue
		}
		at, ok := places[o.Resource]
		if !ok {
			var err error
			if at.options, err = s.Options.GetRESTOptions(o.Resource.GroupResource(), o.Want); err != nil {
				return nil, fmt.Errorf("storage of %s: %w", o.Resource.Resource, err)
			}
			if at.client, err = s.Client(ctx, at.options.StorageConfig.Transport); err != nil {
				return nil, fmt.Errorf("storage of %s: %w", o.Resource.Resource, err)
			}
			places[o.Resource] = at
		}
		out = append(out, &entry{
			Object: o, config: at.options.StorageConfig, client: at.client,
			key: path.Join("/", at.options.StorageConfig.Prefix, at.options.ResourcePrefix, o.Want.GetNamespace(), o.Want.GetName()),
		})
	}
	return out, nil
}

// inBatches calls do for all entries, in groups that one transaction can hold, at
// the same time.
func inBatches(ctx context.Context, entries []*entry, do func(context.Context, []*entry) error) error {
	byClient := map[*clientv3.Client][]*entry{}
	for _, e := range entries {
		byClient[e.client] = append(byClient[e.client], e)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, all := range byClient {
		for part := range slices.Chunk(all, batch) {
			group.Go(func() error { return do(ctx, part) })
		}
	}
	return group.Wait()
}

// read finds out what is stored, and so what is to be written.
func (s *Seeder) read(ctx context.Context, entries []*entry) error {
	gets := make([]clientv3.Op, len(entries))
	for i, e := range entries {
		gets[i] = clientv3.OpGet(e.key)
	}
	response, err := entries[0].client.Txn(ctx).Then(gets...).Commit()
	if err != nil {
		return err
	}
	for i, e := range entries {
		e.value, e.modified = nil, 0
		var stored []byte
		if kvs := response.Responses[i].GetResponseRange().Kvs; len(kvs) > 0 {
			stored, e.modified = kvs[0].Value, kvs[0].ModRevision
		}
		if err := s.compare(ctx, e, stored); err != nil {
			return fmt.Errorf("%s: %w", e.key, err)
		}
	}
	return nil
}

func (s *Seeder) compare(ctx context.Context, e *entry, stored []byte) error {
	if stored != nil && e.Reconcile == nil {
		return nil
	}
	want := e.Want.DeepCopyObject().(object)
	s.Scheme.Default(want)
	if stored == nil {
		return s.encode(ctx, e, fresh(want))
	}
	have, err := s.decode(ctx, e, stored)
	if err != nil {
		return err
	}
	uid := have.GetUID()
	changed, err := e.Reconcile(want, have)
	if err != nil || changed == nil {
		return err
	}
	if changed.GetUID() != uid {
		changed = fresh(changed) // another object takes the place of the stored one
	}
	return s.encode(ctx, e, changed)
}

// fresh gives a new object what a store gives it.
func fresh(obj object) object {
	obj.SetUID(uuid.NewUUID())
	obj.SetCreationTimestamp(metav1.NewTime(time.Now()))
	return obj
}

func (s *Seeder) encode(ctx context.Context, e *entry, obj object) error {
	obj.SetResourceVersion("")
	data, err := runtime.Encode(e.config.Codec, obj)
	if err != nil {
		return err
	}
	e.value, err = transformer(e).TransformToStorage(ctx, data, value.DefaultContext(e.key))
	return err
}

// decode returns a stored object in the version of Want.
func (s *Seeder) decode(ctx context.Context, e *entry, stored []byte) (object, error) {
	data, _, err := transformer(e).TransformFromStorage(ctx, stored, value.DefaultContext(e.key))
	if err != nil {
		return nil, err
	}
	hub, err := runtime.Decode(e.config.Codec, data)
	if err != nil {
		return nil, err
	}
	obj, err := s.Scheme.ConvertToVersion(hub, e.Resource.GroupVersion())
	if err != nil {
		return nil, err
	}
	out, ok := obj.(object)
	if !ok {
		return nil, fmt.Errorf("%T has no metadata", obj)
	}
	return out, nil
}

func transformer(e *entry) value.Transformer {
	if e.config.Transformer == nil {
		return identity.NewEncryptCheckTransformer()
	}
	return e.config.Transformer
}

// write writes what changed, if nobody else did meanwhile.
func write(ctx context.Context, entries []*entry) error {
	var same []clientv3.Cmp
	var puts []clientv3.Op
	for _, e := range entries {
		same = append(same, clientv3.Compare(clientv3.ModRevision(e.key), "=", e.modified))
		puts = append(puts, clientv3.OpPut(e.key, string(e.value)))
	}
	response, err := entries[0].client.Txn(ctx).If(same...).Then(puts...).Commit()
	if err == nil && !response.Succeeded {
		return errConflict
	}
	return err
}

// Only returns the objects of one group.
func Only(objects []Object, group string) []Object {
	return slices.DeleteFunc(slices.Clone(objects), func(o Object) bool { return o.Resource.Group != group })
}
