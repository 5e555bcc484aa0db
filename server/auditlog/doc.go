// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package auditlog is about the files of audit events that a server writes with
// --audit-log-path. [Prepare] makes such a file fit to be appended to. Everything else
// reads them, with memory that does not grow with their size:
//
//	Log ─► Filter ─► Sorter
//	 │        │         └─ puts events in order that were written nearly so
//	 │        └─ says which events are asked for
//	 └─ the events of a file and of what was rotated from it
//
// k8s.io/apiserver writes the files; this package does not.
package auditlog
