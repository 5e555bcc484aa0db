// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package tokenreview believes bearer tokens that another service believes: a webhook that
// is asked with a TokenReview. The request, its versions and its retries are those of
// k8s.io/apiserver.
//
// Around it is what keeps the trouble of one side from the other. An answer is remembered.
// Few calls are made at once and in a second, so that strangers with made-up tokens do not
// flood the service. When it fails some times in a row it is left alone for a while, and
// then asked by one request at a time until it answers again; meanwhile unknown tokens are
// refused without delay. No request waits for its turn.
//
// docs/decisions/0005 has the reasons.
package tokenreview
