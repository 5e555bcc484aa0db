// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	batchv1 "k8s.io/api/batch/v1"

	"github.com/stoa-project/stoa/apis/batch"
	"github.com/stoa-project/stoa/registry/kind"
)

// Jobs returns the kind Job.
func Jobs() kind.Kind {
	return kind.New(kind.Definition[batch.Job]{
		Kind: "Job", Plural: "jobs", Categories: []string{"all"},
		Spec:                kind.PartOf(func(j *batch.Job) *batchv1.JobSpec { return &j.Spec }),
		Status:              kind.PartOf(func(j *batch.Job) *batchv1.JobStatus { return &j.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
