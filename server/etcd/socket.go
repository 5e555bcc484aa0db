// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	socketName = "etcd.sock"
	// maxSocketPath fits macOS, which has 104 bytes with the final zero; Linux has 108.
	maxSocketPath    = 103
	socketTempPrefix = "stoa-etcd-"
)

// placeSocket returns the path for the client socket: in the data folder if the name is short enough for the operating
// system, or else in a new private folder among the temporary files. cleanup removes what is outside the data folder.
func placeSocket(dir string) (path string, cleanup func(), err error) {
	path = filepath.Join(dir, socketName)
	if len(path) <= maxSocketPath {
		return path, func() { _ = os.Remove(path) }, nil
	}
	for _, parent := range []string{os.TempDir(), "/tmp"} {
		if len(parent)+len(socketTempPrefix)+len(socketName)+len("/4294967295/") > maxSocketPath {
			continue
		}
		private, err := os.MkdirTemp(parent, socketTempPrefix)
		if err != nil {
			return "", nil, fmt.Errorf("create folder for the socket of %q: %w", dir, classifyFileError(err))
		}
		path = filepath.Join(private, socketName)
		return path, func() { removeSocket(path) }, nil
	}
	return "", nil, fmt.Errorf("%w: Dir %q and the folder for temporary files have names too long for a socket "+
		"(%d bytes)", ErrConfig, dir, maxSocketPath)
}

// removeStaleSocket removes what a killed process left: bind fails on a socket that exists.
func removeStaleSocket(dir, elsewhere string) error {
	inFolder := filepath.Join(dir, socketName)
	info, err := os.Lstat(inFolder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("look for old socket: %w", classifyFileError(err))
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%w: %s must be a socket", ErrUnsafe, inFolder)
	default:
		if err := os.Remove(inFolder); err != nil {
			return fmt.Errorf("remove old socket: %w", classifyFileError(err))
		}
	}
	// The name comes from the lock file; remove nothing that cannot have been made by placeSocket.
	parent := filepath.Dir(elsewhere)
	if filepath.Base(elsewhere) == socketName && strings.HasPrefix(filepath.Base(parent), socketTempPrefix) {
		removeSocket(elsewhere)
	}
	return nil
}

func removeSocket(path string) {
	_ = os.Remove(path)
	_ = os.Remove(filepath.Dir(path))
}
