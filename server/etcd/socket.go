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

	"github.com/stoa-project/stoa/server/folder"
)

const (
	socketName = "etcd.sock"
	// maxSocketPath fits macOS, which has 104 bytes with the final zero; Linux has 108.
	maxSocketPath    = 103
	socketTempPrefix = "stoa-etcd-"
	// socketNote is a file that has the path of the socket if that is not in the data folder.
	socketNote = "socket"
)

// placeSocket returns the path for the client socket: in the data folder if the name is short enough for the operating
// system, or else in a new private folder among the temporary files. cleanup removes what this made.
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
			return "", nil, fmt.Errorf("create folder for the socket of %q: %w", dir, folder.Classify(err))
		}
		path = filepath.Join(private, socketName)
		note := filepath.Join(dir, socketNote)
		if err := os.WriteFile(note, []byte(path), fileMode); err != nil {
			removeSocket(path)
			return "", nil, fmt.Errorf("note where the socket is: %w", folder.Classify(err))
		}
		return path, func() {
			removeSocket(path)
			_ = os.Remove(note)
		}, nil
	}
	return "", nil, fmt.Errorf("%w: Dir %q and the folder for temporary files have names too long for a socket "+
		"(%d bytes)", ErrConfig, dir, maxSocketPath)
}

// removeStaleSocket removes what a killed process left: bind fails on a socket that exists.
func removeStaleSocket(dir string) error {
	inFolder := filepath.Join(dir, socketName)
	info, err := os.Lstat(inFolder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("look for old socket: %w", folder.Classify(err))
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%w: %s must be a socket", ErrUnsafe, inFolder)
	default:
		if err := os.Remove(inFolder); err != nil {
			return fmt.Errorf("remove old socket: %w", folder.Classify(err))
		}
	}
	note := filepath.Join(dir, socketNote)
	content, err := os.ReadFile(note)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for old socket: %w", folder.Classify(err))
	}
	// Remove nothing that cannot have been made by placeSocket.
	elsewhere := string(content)
	parent := filepath.Dir(elsewhere)
	if filepath.Base(elsewhere) == socketName && strings.HasPrefix(filepath.Base(parent), socketTempPrefix) {
		removeSocket(elsewhere)
	}
	if err := os.Remove(note); err != nil {
		return fmt.Errorf("remove note of old socket: %w", folder.Classify(err))
	}
	return nil
}

func removeSocket(path string) {
	_ = os.Remove(path)               //nolint:gosec // callers made the path, or checked that placeSocket did
	_ = os.Remove(filepath.Dir(path)) //nolint:gosec // as above
}
