// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki

import "errors"

// Every error of this package matches one of these with errors.Is, or is one of the file system. Messages name files, and
// never contain what is in a key file.
var (
	// ErrCA says that the certificate authority in the folder cannot be used, and was not touched.
	ErrCA = errors.New("certificate authority cannot be used")
	// ErrForeign says that a leaf's place is taken by a certificate that somebody else issued; it was not touched.
	ErrForeign = errors.New("certificate was issued by somebody else")
	// ErrKey says that the signing key in the folder cannot be used, and was not touched.
	ErrKey = errors.New("signing key cannot be used")
	// ErrUnsafe says that other users could read or exchange a private key.
	ErrUnsafe = errors.New("private key is not private")
	// ErrInvalid says that a name, host or user that was asked for cannot be in a certificate.
	ErrInvalid = errors.New("invalid certificate request")
	// ErrKubeconfig says that an existing kubeconfig cannot be read, or is locked; it was not touched.
	ErrKubeconfig = errors.New("kubeconfig cannot be read or changed")
)
