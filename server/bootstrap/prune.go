// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
)

// Prune deletes objects of flow control that another version of the server has made
// and that are not among the default objects any more. Those that a user has made, or
// taken over, stay.
func (s *Seeder) Prune(ctx context.Context, objects []Object) error {
	entries, err := s.entries(ctx, Only(objects, flowcontrolv1.GroupName))
	if err != nil {
		return err
	}
	wanted, folders := map[string]bool{}, map[string]*entry{}
	for _, e := range entries {
		wanted[e.key] = true
		folders[path.Dir(e.key)+"/"] = e
	}
	var errs []error
	for folder, e := range folders {
		response, err := e.client.Get(ctx, folder, clientv3.WithPrefix())
		if err != nil {
			return fmt.Errorf("read %s: %w", folder, err)
		}
		for _, kv := range response.Kvs {
			if wanted[string(kv.Key)] {
				continue
			}
			if err := s.prune(ctx, *e, kv); err != nil {
				errs = append(errs, fmt.Errorf("delete %s if it is no default object any more: %w", kv.Key, err))
			}
		}
	}
	return errors.Join(errs...)
}

// prune deletes a stored object unless it is a user's, or changed meanwhile. at is an
// entry of the same resource.
func (s *Seeder) prune(ctx context.Context, at entry, stored *mvccpb.KeyValue) error {
	at.key = string(stored.Key)
	obj, err := s.decode(ctx, &at, stored.Value)
	if err != nil {
		return err
	}
	ours, err := strconv.ParseBool(obj.GetAnnotations()[flowcontrolv1.AutoUpdateAnnotationKey])
	if err != nil || !ours || len(obj.GetFinalizers()) > 0 {
		return nil //nolint:nilerr // an annotation that says neither yes nor no is not ours
	}
	same := clientv3.Compare(clientv3.ModRevision(at.key), "=", stored.ModRevision)
	_, err = at.client.Txn(ctx).If(same).Then(clientv3.OpDelete(at.key)).Commit()
	return err
}
