// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package openapi serves the OpenAPI documents of a chain of API servers: those of
// their own types, of CustomResourceDefinitions, and of the servers behind them.
//
// Upstream builds the documents when it starts, keeps them as trees, and looks once
// a second whether one has changed. A [Publisher] builds a document when it is asked
// for, and keeps it as it is sent, compressed. An entry of /openapi/v3 needs no
// document: its hash comes from what the document would be built from.
package openapi
