// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package namespacedefaults

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"sigs.k8s.io/yaml"
)

const (
	// Keys of the config map. Values are specs, as YAML.
	quotaKey  = "resourcequota"
	limitsKey = "limitrange"
	// applied is the annotation of what a namespace got. It says what the config map
	// said, and what was stored of it.
	applied = "tenancy.stoa.dev/applied-defaults"
	// digestLength is how much of a digest is written down. It is compared with what
	// administrators write, nobody gains by finding another one.
	digestLength = 8
)

// mistakeError is what is wrong with the text of the config map.
type mistakeError struct{ error }

func isMistake(err error) bool {
	var m mistakeError
	return errors.As(err, &m)
}

// defaults are what each namespace gets. Nil: no such object.
type defaults struct {
	quota  *corev1.ResourceQuotaSpec
	limits *corev1.LimitRangeSpec
}

// parse reads the data of the config map.
func parse(data map[string]string) (*defaults, error) {
	d := &defaults{}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		var into any
		switch key {
		case quotaKey:
			d.quota = &corev1.ResourceQuotaSpec{}
			into = d.quota
		case limitsKey:
			d.limits = &corev1.LimitRangeSpec{}
			into = d.limits
		default:
			return nil, mistakeError{fmt.Errorf("key %q must be %q or %q", key, quotaKey, limitsKey)}
		}
		if err := yaml.UnmarshalStrict([]byte(data[key]), into); err != nil {
			return nil, mistakeError{fmt.Errorf("key %q: %w", key, err)}
		}
	}
	return d, nil
}

func (d *defaults) newQuota() *corev1.ResourceQuota {
	return &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: Object}, Spec: *d.quota.DeepCopy()}
}

func (d *defaults) newLimits() *corev1.LimitRange {
	return &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: Object}, Spec: *d.limits.DeepCopy()}
}

// check has the server look at the objects without storing them.
func (d *defaults) check(ctx context.Context, client typedcorev1.CoreV1Interface) error {
	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	if d.quota != nil {
		quota := d.newQuota()
		quota.Name, quota.GenerateName = "", Object+"-"
		if _, err := client.ResourceQuotas(metav1.NamespaceSystem).Create(ctx, quota, dry); err != nil {
			return fmt.Errorf("key %q: %w", quotaKey, err)
		}
	}
	if d.limits != nil {
		limits := d.newLimits()
		limits.Name, limits.GenerateName = "", Object+"-"
		if _, err := client.LimitRanges(metav1.NamespaceSystem).Create(ctx, limits, dry); err != nil {
			return fmt.Errorf("key %q: %w", limitsKey, err)
		}
	}
	return nil
}

// provide gives a namespace the objects, or what they should say now.
func (d *defaults) provide(ctx context.Context, client typedcorev1.CoreV1Interface, namespace string) error {
	var errs []error
	if d.quota != nil {
		errs = append(errs, provide(ctx, client.ResourceQuotas(namespace), d.newQuota(), func(q *corev1.ResourceQuota) *corev1.ResourceQuotaSpec { return &q.Spec }))
	}
	if d.limits != nil {
		errs = append(errs, provide(ctx, client.LimitRanges(namespace), d.newLimits(), func(l *corev1.LimitRange) *corev1.LimitRangeSpec { return &l.Spec }))
	}
	return errors.Join(errs...)
}

// objects is what clients of kinds have in common.
type objects[T any] interface {
	Get(ctx context.Context, name string, options metav1.GetOptions) (T, error)
	Create(ctx context.Context, obj T, options metav1.CreateOptions) (T, error)
	Update(ctx context.Context, obj T, options metav1.UpdateOptions) (T, error)
}

// provide makes an object, or writes its spec if nobody else did.
func provide[T metav1.Object, S any](ctx context.Context, client objects[T], want T, spec func(T) *S) error {
	asked := digest(spec(want))
	dry := []string{metav1.DryRunAll}
	have, err := client.Get(ctx, Object, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		// What is stored has defaults, by which an edit is known.
		stored, err := client.Create(ctx, want, metav1.CreateOptions{DryRun: dry})
		if err != nil {
			return err
		}
		annotate(want, asked+"-"+digest(spec(stored)))
		_, err = client.Create(ctx, want, metav1.CreateOptions{FieldManager: Name})
		return err
	}
	if err != nil {
		return err
	}
	before, stored, ours := strings.Cut(have.GetAnnotations()[applied], "-")
	if !ours || before == asked || stored != digest(spec(have)) {
		return nil
	}
	*spec(have) = *spec(want)
	result, err := client.Update(ctx, have, metav1.UpdateOptions{DryRun: dry})
	if err != nil {
		return err
	}
	annotate(have, asked+"-"+digest(spec(result)))
	_, err = client.Update(ctx, have, metav1.UpdateOptions{FieldManager: Name})
	return err
}

func annotate(obj metav1.Object, value string) {
	annotations := obj.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[applied] = value
	obj.SetAnnotations(annotations)
}

// digest stands for a spec.
func digest(spec any) string {
	text, err := json.Marshal(spec)
	if err != nil {
		return "" // specs of the API have nothing that JSON has not
	}
	sum := sha256.Sum256(text)
	return fmt.Sprintf("%x", sum[:digestLength])
}
