// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	batchv1 "k8s.io/api/batch/v1"

	"github.com/stoa-project/stoa/apis/batch"
	"github.com/stoa-project/stoa/registry/kind"
)

// CronJobs returns the kind CronJob.
func CronJobs() kind.Kind {
	return kind.New(kind.Definition[batch.CronJob]{
		Kind: "CronJob", Plural: "cronjobs", ShortNames: []string{"cj"}, Categories: []string{"all"},
		Spec:                kind.PartOf(func(c *batch.CronJob) *batchv1.CronJobSpec { return &c.Spec }),
		Status:              kind.PartOf(func(c *batch.CronJob) *batchv1.CronJobStatus { return &c.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
